"""The house's one-way streets: `index_build -> sparc_core <- server`, and what importing may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "sparc_core": {"index_build", "server", "fastapi", "starlette", "uvicorn", "jinja2"},
    "index_build": {"server", "fastapi", "starlette", "uvicorn", "jinja2"},
    "server": {"index_build"},
}


def imported_packages(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert len(files) > 5, f"{package} has hardly any files: is the path right?"
    wrong = {str(f.relative_to(ROOT)): imported_packages(f) & FORBIDDEN[package] for f in files}
    assert not {f: names for f, names in wrong.items() if names}


@pytest.mark.parametrize("module", ["sparc_core.bundle", "server.schemas", "server.settings", "index_build.cli"])
def test_light_modules_do_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
