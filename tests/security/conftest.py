"""The running service of the server's tests, for these."""

from tests.server.conftest import client

__all__ = ["client"]
