"""Why the service refuses what is right in itself; `errors` gives each its HTTP status."""

from sparc_core.errors import SparcError


class BusyError(SparcError):
    """Too many jobs wait, or one waited too long; trying again later helps."""

    code = "busy"


class BundleRefusedError(SparcError):
    """The new bundle cannot be served; the old one stays."""

    code = "bundle_refused"


class NotAdminError(SparcError):
    """The client may not do this."""

    code = "admin_only"


class ClientGoneError(SparcError):
    """Nobody waits for the answer any more."""

    code = "client_gone"
