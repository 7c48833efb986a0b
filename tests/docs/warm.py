"""The two programs, each in a process forked from one that has loaded torch and the like already.

Otherwise half of the time that documents take to run would be spent loading libraries, again and again. `serve` is
that process; `run` is for the commands in `bin/`. The address is abstract, so it belongs to the reader's network.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

_ADDRESS = "\0documents"
_PROGRAMS = {"sparc-build": "index_build.cli", "sparc-serve": "server.cli"}
_LIBRARIES = (
    "torch",
    "open_clip",
    "transformers.models.dinov2_with_registers.modeling_dinov2_with_registers",
    "faiss",
    "fastapi",
    "h5py",
    "pyarrow.parquet",
    "scipy.sparse",
    "sklearn.manifold",
    "typer",
    "uvicorn",
)


@contextmanager
def launched() -> Iterator[None]:
    """Have the process that has the libraries; it takes seconds to load them, while others go on."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(_ADDRESS)
        listening.listen()
        command = [sys.executable, "-m", __name__, str(listening.fileno())]
        process = subprocess.Popen(command, pass_fds=[listening.fileno()])
    yield
    process.kill()
    process.wait()


def run(program: str, arguments: list[str], started: Callable[[int], object] = lambda pid: None) -> int:
    """Run a program with this process's files, folder and variables; returns its exit code.

    Args:
        program: Its name.
        arguments: After the name.
        started: Told the process's id.
    """
    asked = {"program": program, "arguments": arguments, "folder": os.getcwd(), "variables": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(_ADDRESS)
        socket.send_fds(connection, [json.dumps(asked).encode()], [0, 1, 2])
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as answers:
            started(int(answers.readline()))
            return int(answers.readline())


def serve(listening: socket.socket) -> None:
    """Load the libraries, then run whatever is asked for; does not return."""
    for name in _LIBRARIES:
        import_module(name)
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _answer(connection)
        connection.close()


def _answer(connection: socket.socket) -> None:
    """Run what one connection asks for in another process, and say its id and its exit code; does not return."""
    content, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while more := connection.recv(1 << 16):
        content += more
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(json.loads(content), files)
    connection.sendall(f"{pid}\n".encode())
    connection.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def _become(asked: dict, files: list[int]) -> None:
    """Run a program in this process, as its command would; does not return."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(asked["variables"])
    os.chdir(asked["folder"])
    sys.argv = [asked["program"], *asked["arguments"]]
    try:
        import_module(_PROGRAMS[asked["program"]]).run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
