"""The parent of servers whose start costs no imports: it imports what `sparc-serve` does, then forks for each one.

Each child is `sparc-serve` itself, a process with its own signals, sockets and exit code; some are sabotaged first.
Lines of JSON on stdin ask, lines of JSON on stdout answer. `tests/faults/conftest.py` talks to it.
"""

import contextlib
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MODULES = ("server.app", "server.cli", "server.slow_heads", "server.stopping", "server.watchdog", "uvloop", "h5py")


def import_all() -> None:
    """Everything that a server imports, and the towers' libraries."""
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    for module in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    from sparc_core.backbones import load_backbone

    for spec in ("storybook:clip_img", "storybook:clip_txt", "storybook:dino"):
        load_backbone(spec)


def gate(name: str) -> Path:
    """The file that lets a job go on."""
    return Path(os.environ["FAULTS"]) / name


def wait_for(name: str) -> None:
    while not gate(name).exists():
        time.sleep(0.02)


def sabotage() -> None:
    """Texts that hang or explode, memory that is as large as a file says, a warm-up that hangs."""
    import torch

    import server.explorer
    import server.services.readings as readings
    import server.services.towers as towers

    read_texts, unit_features = readings.read_texts, towers.unit_features

    def bad_texts(own: Any, stream: str, texts: Any) -> Any:
        for text in texts:
            if text.startswith("hang "):
                wait_for(text.split()[1])
            if text == "explode":
                raise RuntimeError("a secret of the inside")
        return read_texts(own, stream, texts)

    def small_memory(backbone: Any, x: Any) -> Any:
        fits = gate("fits")
        if fits.exists() and len(x) > int(fits.read_text()):
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried {len(x)} inputs")
        return unit_features(backbone, x)

    async def hanging(explorer: Any) -> None:
        gate("warming").touch()
        await explorer._resources.device_worker.run(lambda: wait_for("warm"))

    readings.read_texts, towers.unit_features = bad_texts, small_memory
    if "HANG_WARM_UP" in os.environ:
        server.explorer.Explorer._answer_one = hanging  # type: ignore[method-assign]


def become_server(asked: dict[str, Any]) -> None:
    """In the child: what a shell does before it starts a program; then the program."""
    from server.cli import run

    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, target in ((0, nothing), (1, nothing), (2, log)):
        os.dup2(target, number)
    os.environ.update(asked["env"])
    if "FAULTS" in os.environ:
        sabotage()
    sys.argv = ["sparc-serve", *asked["argv"]]
    try:
        run()
    except SystemExit as end:
        # Libraries end their threads at the very end, and wait for ever for those that a fork leaves behind.
        os._exit(int(end.code or 0))


def exit_code(pid: int, timeout_s: float) -> int | None:
    """Of a child; None while it runs."""
    ends = time.monotonic() + timeout_s
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends:
            return None
        time.sleep(0.02)


def main() -> None:
    """Answer until stdin ends."""
    import_all()
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            answer = exit_code(asked["wait"], asked["timeout_s"])
        else:
            answer = os.fork()
            if answer == 0:
                become_server(asked)
                return
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
