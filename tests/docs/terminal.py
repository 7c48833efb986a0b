"""A reader's terminal: runs the commands of documents, top to bottom, where nothing but loopback can be reached.

`test_commands` starts it in namespaces of its own, so every reader has port 8000 alone. Variables and the current
folder last from one block to the next, as they do in a terminal; Python blocks of a document share one session.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path

from tests.docs import warm
from tests.docs.blocks import Block, commands_of
from tests.docs.serving import SERVING, stop
from tests.docs.stand_in_hub import serve_hub

_BLOCK = """set -eu
set -a
if [ -e "$HOME/.terminal" ]; then . "$HOME/.terminal"; fi
if [ -e "$HOME/{serving}/8000/pid" ]; then PID=$(cat "$HOME/{serving}/8000/pid"); fi # readers know what they started
{text}
{{ export -p; printf 'cd "%s"\\n' "$PWD"; }} > "$HOME/.terminal"
"""
_SIOCSIFFLAGS, _SIOCSIFADDR, _IFF_UP = 0x8914, 0x8916, 1
_SHOWN_CHARACTERS = 4000


class Terminal:
    """Where blocks are run."""

    def __init__(self, home: Path) -> None:
        """Args: `home` is the reader's home directory; it keeps what the terminal remembers."""
        self._home = home
        self._session: dict[str, object] = {"__name__": "__main__"}

    def run(self, block: Block) -> str:
        """Run a block; returns what was wrong, or ""."""
        return self._python(block) if block.language == "python" else self.type(block.text)

    def type(self, text: str) -> str:
        """Type commands into the shell; returns what was wrong, or ""."""
        output = self._home / "output"  # a file: a service that goes on would keep a pipe open
        with output.open("w") as file:
            command = ["sh", "-c", _BLOCK.format(serving=SERVING, text=text)]
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)
        if ended.returncode == 0:
            return ""
        return f"exit code {ended.returncode}\n{output.read_text(errors='replace')[-_SHOWN_CHARACTERS:]}"

    def _python(self, block: Block) -> str:
        try:
            code = compile("\n" * (block.line - 1) + block.text, block.document, "exec")
            exec(code, self._session)
        except Exception:
            return traceback.format_exc()
        return ""


def main(reads: dict[str, str]) -> int:
    """Run documents; returns 0 if every block went well.

    Args:
        reads: Documents, relative to the root, each with commands that the reader ran before it.
    """
    _raise_loopback()
    _take_one_core()
    home = Path(os.environ["HOME"])
    os.environ["HF_ENDPOINT"] = serve_hub(Path(os.environ["DOCS_HUB"]))
    with warm.launched():
        went_well = [
            _read(document, before, home) for document, before in reads.items()
        ]  # all, whatever the first says
        return 0 if all(went_well) and _stop_all(home) else 1


def _read(document: str, before: str, home: Path) -> bool:
    """Run one document in a terminal of its own; returns whether every block went well."""
    terminal = Terminal(home)
    blocks = [Block(f"before {document}", 0, "sh", before), *commands_of(document)]
    return all(_went_well(terminal, block) for block in blocks if block.text)


def _went_well(terminal: Terminal, block: Block) -> bool:
    """Run a block, and say how long it took and what was wrong."""
    begun = time.monotonic()
    problem = terminal.run(block)
    _say(f"{block}: {time.monotonic() - begun:.1f} s")
    if problem:
        _say(f"{block} went wrong:\n{block.text}\n{problem}")
    return not problem


def _stop_all(home: Path) -> bool:
    """Press Ctrl-C wherever a service runs; returns whether that ended it well."""
    codes = {path.name: stop(path) for path in (home / SERVING).glob("*")}
    wrong = {port: code for port, code in codes.items() if code not in (0, 128 + signal.SIGINT, -signal.SIGINT)}
    if wrong:
        _say(f"Ctrl-C ended the service with other exit codes than 0 and 130: {wrong}")
    return not wrong


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _raise_loopback() -> None:
    """Switch the loopback device on, which is down in a new network namespace, and give it this machine's address.

    Libraries look that up by the machine's name, and expect to be reached there.
    """
    try:
        own = socket.gethostbyname(socket.gethostname())
    except OSError:
        own = "127.0.0.1"  # the name is nobody's; libraries think of something else then
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
        if not own.startswith("127."):
            address = struct.pack("16sH2x4s8x", b"lo:0", socket.AF_INET, socket.inet_aton(own))
            fcntl.ioctl(any_socket, _SIOCSIFADDR, address)


def _take_one_core() -> None:
    """Builds start a process for each core, and each of these takes seconds to load torch; pictures here are few."""
    if chosen := os.environ["DOCS_CORE"]:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(chosen) % len(cores)]})


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
