"""A cache bounded in bytes."""

from hypothesis import given
from hypothesis import strategies as st

from server.cache import BoundedCache


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 8)), max_size=40), st.integers(0, 20))
def test_it_never_holds_more_than_its_bound_and_forgets_what_was_not_used_for_longest(
    puts: list[tuple[int, int]], bound: int
) -> None:
    cache = BoundedCache[int, bytes]("test", bound, len)
    expected: dict[int, bytes] = {}  # in order of use
    for key, size in puts:
        known = cache.get(key)
        assert known == expected.get(key)
        if known is not None:
            expected[key] = expected.pop(key)
        cache.put(key, bytes(size))
        if size <= bound:
            expected.pop(key, None)
            while expected and sum(map(len, expected.values())) + size > bound:
                expected.pop(next(iter(expected)))
            expected[key] = bytes(size)
        assert cache.n_bytes == sum(map(len, expected.values())) <= bound
    assert cache.hits + cache.misses == len(puts)
    cache.clear()
    assert (len(cache), cache.n_bytes) == (0, 0)
