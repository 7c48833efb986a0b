"""Cursors of pages: positions in an order that never changes, because a bundle never does."""

from sparc_core.errors import InputError

_MOST_DIGITS = 9
_SEPARATOR = "-"


class Cursors:
    """Makes and reads the cursors of one bundle; those of another bundle are refused, since its order is another."""

    def __init__(self, bundle_id: str) -> None:
        """Args: the bundle's id."""
        self._bundle_id = bundle_id

    def position(self, cursor: str | None, total: int) -> int:
        """Where a page begins.

        Raises:
            InputError: The cursor is not one of ours, of another bundle, or beyond the end of `total` rows.
        """
        if not cursor:
            return 0
        bundle_id, _, position = cursor.rpartition(_SEPARATOR)
        if not position.isascii() or not position.isdecimal() or len(position) > _MOST_DIGITS or not bundle_id:
            raise InputError(f'cursor "{cursor[:40]}" is not one that this service gave: start without a cursor')
        if bundle_id != self._bundle_id:
            raise InputError(f'cursor "{cursor[:40]}" is of a bundle that is not served now: start without a cursor')
        if int(position) >= max(total, 1):
            raise InputError(f'cursor "{cursor[:40]}" is beyond the last of {total} rows: start without a cursor')
        return int(position)

    def after(self, position: int, total: int) -> str | None:
        """The cursor of the page that begins at `position`; None where there is none."""
        return f"{self._bundle_id}{_SEPARATOR}{position}" if position < total else None
