"""Errors that users, files and networks cause: what happened, what was seen, what was expected, what to do.

The command line prints the message and exits with 2; the service maps each class to one HTTP status.
Our own broken invariants are `assert`s, not these.
"""


class SparcError(Exception):
    """Base of all domain errors; `code` is stable and machine-readable."""

    code = "error"


class InputError(SparcError):
    """A value that a user gave cannot be used."""

    code = "invalid_input"


class ShapeError(SparcError):
    """Arrays or weights do not fit together."""

    code = "shape_mismatch"


class BundleError(SparcError):
    """A bundle is missing, damaged or of another schema."""

    code = "bundle_unusable"


class DiskFullError(SparcError):
    """A disk has no room left for what is written."""

    code = "disk_full"


class NotFoundError(SparcError):
    """A latent, item, stream or upload that is not there."""

    code = "not_found"

    def __init__(self, kind: str, message: str) -> None:
        """Args: `kind` is what was looked for ("latent"); it makes the code ("latent_not_found")."""
        super().__init__(message)
        self._kind = kind
        self.code = f"{kind}_not_found"

    def __reduce__(self) -> tuple[type["NotFoundError"], tuple[str, str]]:
        """Errors of worker processes come back pickled; the default would forget `kind`."""
        return NotFoundError, (self._kind, str(self))
