"""What the service logs on stderr: lines for people, or one JSON object a line for programs.

Every line carries the id of the request it belongs to. Access lines tell the path but not the query, and no header:
captions are private, and keys are secret.
"""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from urllib.parse import quote

from server.request_context import current

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]

# Our own words and the web server's. Other libraries' debug output would drown them, so it stays at warnings.
_OURS = ("server", "sparc_core", "uvicorn")

# What moves a terminal's cursor, ends a line to some programs, or turns the direction of text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_access_log = logging.getLogger("server.access")


class AccessLine(NamedTuple):
    """One answered request; `status` is 0 where the connection ended before an answer began."""

    method: str
    path: str
    route: str
    status: int
    milliseconds: float
    client: str


def log_access(line: AccessLine) -> None:
    """Log an answered request."""
    # Quoted, because a decoded path may hold line breaks and make up log lines.
    words = (quote(line.method), quote(line.path), line.status, line.milliseconds, quote(line.client, safe=":"))
    _access_log.info("%s %s %d in %.1f ms for %s", *words, extra={"access": line})


def configure_logs(format: LogFormat, level: LogLevel) -> None:
    """Send everything that is logged, Python's warnings too, to stderr in one format."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())


class TextLines(logging.Formatter):
    """Time, level, logger, id of the request (or a dash), message.

    Messages and tracebacks may repeat what a client sent: whatever they hold, only the first line is not indented.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """A line; more of them where there is a traceback."""
        record.request_id = current().request_id or "-"
        line = super().format(record).replace("\n", "\n  ")
        return _CONTROLS.sub(lambda control: ascii(control[0])[1:-1], line)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the fields of `docs/operating.md`."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current().request_id,
        }
        access = getattr(record, "access", None)
        if isinstance(access, AccessLine):
            fields |= access._asdict() | {"milliseconds": round(access.milliseconds, 1)}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)
