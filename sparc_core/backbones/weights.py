"""What to say when a backbone's weights are not there, cannot be fetched or do not load.

The loaders of open_clip and transformers raise nearly anything; here it becomes one sentence that says what to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparc_core.errors import InputError


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids downloads."""
    from huggingface_hub.constants import is_offline_mode

    return bool(is_offline_mode())


def local_folder(name: str) -> Path | None:
    """The folder that a name means, if it is one here; "~" is the home directory."""
    path = Path(name).expanduser()
    return path if path.is_dir() else None


@contextmanager
def fetching(spec: str, repository: str, local_spec: str) -> Iterator[None]:
    """Explain a failure to fetch files of a repository.

    Args:
        spec: The backbone's spec.
        repository: `ORG/NAME` on the hub.
        local_spec: The spec to use once the files are in a folder.

    Raises:
        InputError: Instead of whatever went wrong.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise _not_fetched(spec, repository, local_spec, error) from error


@contextmanager
def reading(spec: str, expected: str) -> Iterator[None]:
    """Explain a failure to load files that are here.

    Raises:
        InputError: Instead of whatever went wrong.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f'backbone "{spec}" does not load ({_gist(error)}): expected {expected}; if a file is damaged or missing, '
            "copy it again"
        ) from error


def _not_fetched(spec: str, repository: str, local_spec: str, error: Exception) -> InputError:
    fetch = f'"hf download {repository} --local-dir FOLDER"'
    elsewhere = f'download it on a connected machine with {fetch} and use "{local_spec}"'
    if is_offline():
        return InputError(f'backbone "{spec}" has no weights here (offline): {elsewhere}, or unset HF_HUB_OFFLINE')
    return InputError(
        f'backbone "{spec}" could not be fetched from {repository} ({_gist(error)}): check the name, the network and '
        f"HF_ENDPOINT, or {elsewhere}"
    )


def _gist(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    text = lines[0] if len(lines[0]) <= 200 else lines[0][:197] + "..."
    return f"{type(error).__name__}: {text}".rstrip(": .")
