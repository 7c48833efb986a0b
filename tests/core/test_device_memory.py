"""Batches that do not fit are computed in halves of halves; other errors are nobody's memory."""

import gc
import logging
import weakref

import pytest
import torch

from sparc_core.device_memory import in_parts, is_out_of_memory


class Device:
    """Has memory for so many inputs."""

    def __init__(self, fits: int) -> None:
        self.fits, self.seen = fits, list[int]()

    def doubled(self, numbers: list[int]) -> list[int]:
        if len(numbers) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.seen.append(len(numbers))
        return [2 * number for number in numbers]


@pytest.mark.parametrize(("fits", "parts"), [(9, [7]), (4, [3, 4]), (2, [1, 2, 2, 2]), (1, [1] * 7)])
def test_parts_are_as_large_as_fits_and_in_order(fits: int, parts: list[int]) -> None:
    device = Device(fits)
    found = in_parts(device.doubled, list(range(7)))
    assert [n for part in found for n in part] == [0, 2, 4, 6, 8, 10, 12]
    assert device.seen == parts


def test_tensors_and_ranges_are_batches_too() -> None:
    def doubled(x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            raise MemoryError
        return 2 * x

    x = torch.arange(10.0).view(5, 2)
    torch.testing.assert_close(torch.cat(in_parts(doubled, x)), 2 * x)
    assert in_parts(list, range(3)) == [[0, 1, 2]]


def test_a_single_input_that_does_not_fit_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(torch.OutOfMemoryError):
        in_parts(Device(0).doubled, [1, 2])
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "the device's memory does not hold 2 inputs at once"
    ]


def test_other_errors_are_not_tried_again() -> None:
    calls: list[int] = []

    def wrong(numbers: list[int]) -> None:
        calls.append(len(numbers))
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        in_parts(wrong, [1, 2, 3, 4])
    assert calls == [4]


def test_what_the_failed_batch_held_is_free_before_its_halves_begin() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def hungry(numbers: list[int]) -> int:
        large = torch.zeros(1000 * len(numbers))
        gc.collect()
        assert all(one() is None for one in held), "an error's traceback keeps it"
        if len(numbers) > 1:
            held.append(weakref.ref(large))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return len(large)

    assert in_parts(hungry, [1, 2]) == [1000, 1000]
    assert len(held) == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_which_errors_are_for_want_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_the_cpu_has_a_real_one() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert is_out_of_memory(raised.value)
