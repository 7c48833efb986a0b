"""A mirror of the hub: a folder behind a server on the loopback interface, as far as the hub's client asks."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def serve(folder: Path) -> ThreadingHTTPServer:
    """Serve `ORG/NAME/FILE` of a folder at /ORG/NAME/resolve/REVISION/FILE, and its list of files, as the hub does."""

    class Mirror(_Mirror):
        root = folder

    return ThreadingHTTPServer(("127.0.0.1", 0), Mirror)


class _Mirror(BaseHTTPRequestHandler):
    root: Path

    def do_HEAD(self) -> None:
        self._answer(send=False)

    def do_GET(self) -> None:
        self._answer(send=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, send: bool) -> None:
        content = self._content(self.path.partition("?")[0].strip("/").split("/"))
        self.send_response(404 if content is None else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if send:
            self.wfile.write(content or b"")

    def _content(self, parts: list[str]) -> bytes | None:
        match parts:
            case ["api", "models", organisation, name, "revision", _]:
                return json.dumps({"id": f"{organisation}/{name}", "sha": COMMIT, "siblings": []}).encode()
            case ["api", "models", organisation, name, "tree", _]:
                return json.dumps([self._entry(path) for path in _files(self.root / organisation / name)]).encode()
            case [organisation, name, "resolve", _, *rest]:
                path = self.root.joinpath(organisation, name, *rest)
                return path.read_bytes() if path.is_file() else None
        return None

    def _entry(self, path: Path) -> dict[str, object]:
        content = path.read_bytes()
        inside = path.relative_to(self.root).as_posix().split("/", 2)[2]
        return {"type": "file", "path": inside, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
