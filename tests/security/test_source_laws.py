"""What our Python never does, read off its syntax trees: run strings, pickles, shells, or code of models."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sparc_core", "index_build", "server", "frontend")
# What pickles are for: Ray hands a worker the shard that this process made. Nothing is read from a file.
MAY_PICKLE = {"index_build/ray_engine/extraction.py"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
PROCESSES = {"subprocess", "pty", "commands"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "execfile"),
    *("os.system", "os.popen", "os.execv", "os.execve", "os.spawnv", "os.posix_spawn", "pty.spawn"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp", "os.tempnam", "os.umask"),
    *("pandas.read_pickle", "pd.read_pickle", "tarfile.extractall", "shutil.unpack_archive", "zipfile.extractall"),
    *("asyncio.create_subprocess_shell", "asyncio.create_subprocess_exec", "torch.hub.load", "torch.jit.load"),
}
FORBIDDEN_METHODS = {"extractall", "unpack_archive", "read_pickle", "create_subprocess_shell"}
# An argument that has to be there.
NEEDED = {"torch.load": "weights_only"}  # NumPy has refused pickles by default since 1.16
# An argument that must not be anything else, wherever it is said.
NEVER_OTHER = {"trust_remote_code": False, "weights_only": True, "allow_pickle": False, "shell": False}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(node: ast.expr) -> str:
    """A chain of names ("a.b.c"), with "?" for what is no name in it."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{name_of(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def violations(tree: ast.AST, place: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            yield from (f"imports {one}" for one in roots & PICKLES if place not in MAY_PICKLE)
            yield from (f"imports {one}" for one in roots & PROCESSES)
        elif isinstance(node, ast.Call):
            yield from _of_call(node, name_of(node.func))


def _of_call(node: ast.Call, called: str) -> Iterator[str]:
    said = {one.arg: one.value.value if isinstance(one.value, ast.Constant) else ... for one in node.keywords}
    if called in FORBIDDEN_CALLS or called.rpartition(".")[2] in FORBIDDEN_METHODS:
        yield f"line {node.lineno} calls {called}"
    for argument, value in NEVER_OTHER.items():
        if argument in said and said[argument] is not value:
            yield f"line {node.lineno} says {argument}={said[argument]}"
    if called in NEEDED and NEEDED[called] not in said:
        yield f"line {node.lineno} calls {called} without {NEEDED[called]}"


@pytest.mark.parametrize("package", PACKAGES[:3])
def test_our_packages_keep_the_laws(package: str) -> None:
    found = {}
    files = [path for path in sources() if path.relative_to(ROOT).parts[0] == package]
    assert len(files) > 20, f"{package} has hardly any files: is the path right?"
    for path in files:
        place = path.relative_to(ROOT).as_posix()
        if wrong := list(violations(ast.parse(path.read_text("utf-8")), place)):
            found[place] = wrong
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "import pickle",
        "from pickle import loads",
        "import os; os.system('ls')",
        "import subprocess",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path, mmap_mode='r', allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "tarfile.open(path).extractall()",
        "import yaml; yaml.load(text)",
    ],
)
def test_the_laws_can_be_broken(line: str) -> None:
    assert list(violations(ast.parse(line), "server/x.py"))


def test_what_transformers_and_open_clip_load_brings_no_code() -> None:
    """Every `from_pretrained` says so itself: a default may change."""
    calls = 0
    for path in (ROOT / "sparc_core" / "backbones").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and name_of(node.func).endswith(".from_pretrained"):
                calls += 1
                assert "trust_remote_code" in {one.arg for one in node.keywords}, f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Call) and name_of(node.func) == "open_clip.create_model":
                calls += 1
                assert "weights_only" in {one.arg for one in node.keywords}, f"{path.name}:{node.lineno}"
    assert calls >= 4
