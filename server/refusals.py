"""Why the service refuses what is right in itself; `errors` gives each its HTTP status."""

from sparc_core.errors import SparcError


class BusyError(SparcError):
    """Too many jobs wait, or one waited too long; trying again later helps."""

    code = "busy"


class StoppingError(BusyError):
    """The process ends; another one may answer later."""

    code = "stopping"


class MemoryFullError(SparcError):
    """The models' device has no memory for one request."""

    code = "out_of_memory"

    def __init__(self) -> None:
        super().__init__(
            "the device of the models has no memory for this: send a smaller picture or a shorter text, ask for fewer "
            "pictures, or try again later; who runs the service can free the device, or set SPARC_DEVICE=cpu"
        )


class BundleGoneError(SparcError):
    """What the service opened lies there no more."""

    code = "bundle_gone"

    def __init__(self) -> None:
        super().__init__(
            "the bundle was removed or replaced under the service, and this needs a file of it: who runs the service "
            "can put it back, or reload the service"
        )


class BundleRefusedError(SparcError):
    """The new bundle cannot be served; the old one stays."""

    code = "bundle_refused"


class NotAdminError(SparcError):
    """The client may not do this."""

    code = "admin_only"


class ClientGoneError(SparcError):
    """Nobody waits for the answer any more."""

    code = "client_gone"
