"""Host names under which the service answers: those that a page of another site cannot make its own.

A site may let its own name lead to an address of the visitor's network; its pages, now of "our" origin, could then read
a service that asks for no key (DNS rebinding). The name that the browser asked for stands in `Host`, and gives it away.
`server/middleware/access.py` asks for every request.
"""

from ipaddress import ip_address

from sparc_core.errors import InputError

_ANY = "*"
# Nobody can register a name below these, nor one without a dot.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa")


class AllowedHosts:
    """The names of a setting, and whatever nobody can register: addresses, names without a dot or in private zones."""

    def __init__(self, named: str, has_keys: bool) -> None:
        """Which names are answered.

        Args:
            named: Names separated by commas; `*` for all.
            has_keys: Whether clients need a key, which pages of other sites do not have: then all names will do,
                unless some are named.

        Raises:
            InputError: A name has a port, a path or spaces.
        """
        self._names = {name.strip().rstrip(".").lower() for name in named.split(",") if name.strip()}
        for name in self._names:
            if name != _ANY and set(name) & set("*/:[] "):
                raise InputError(
                    f'setting allowed_hosts holds "{name[:80]}": write names without port, like "sparc.example.org", '
                    'separated by commas, or "*" for all'
                )
        self._all = _ANY in self._names or (has_keys and not self._names)

    def has(self, host: str) -> bool:
        """Whether a request with this `Host` is answered. Browsers always send one: without it, it is no page's."""
        name = name_of(host)
        return self._all or not name or name in self._names or _is_private(name)


def name_of(host: str) -> str:
    """The name or address in a `Host` header, without port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_private(name: str) -> bool:
    if "." not in name or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return bool(ip_address(name))
    except ValueError:
        return False
