"""Installs Superset from the shipped lock: its own virtual environment, on Python 3.11."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError

PYTHON = "3.11"
LOCK = Path(__file__).with_name("requirements.lock")
PREPARED = ".superset"
_STAMP = ".installed"


def environment(home: Path) -> Path:
    """Where Superset's environment is: the one that `make superset` prepared, else the home's own.

    It may not be there yet; see `is_installed`.
    """
    prepared = Path(sys.prefix) / PREPARED
    return prepared if is_installed(prepared) else home / ".venv"


def is_installed(place: Path) -> bool:
    """Whether this environment holds exactly what the lock names."""
    stamp = place / _STAMP
    return stamp.is_file() and stamp.read_text() == _version_of_lock()


def require_installed(home: Path) -> Path:
    """The environment. Raises EmbeddedError when Superset is not installed, or by an older lock."""
    place = environment(home)
    if not is_installed(place):
        raise EmbeddedError("is not installed", where="superset", remedy="run `lakehouse superset install`")
    return place


def install(place: Path) -> bool:
    """Make the environment what the lock names; every package is checked against its hash.

    Returns:
        False when it was so already.

    Raises:
        EmbeddedError: no Python 3.11, no network, or another process is installing there.
    """
    if is_installed(place):
        return False
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place):
        (place / _STAMP).unlink(missing_ok=True)
        uv, python = _uv(), str(place / "bin" / "python")
        if uv:
            base = sys.executable if sys.version_info[:2] == (3, 11) else PYTHON
            _run([uv, "venv", "--quiet", "--allow-existing", "--python", base, str(place)])
            sync = [uv, "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode"]
            _run([*sync, "--python", python, str(LOCK)])
        else:
            _run([_python(), "-m", "venv", "--clear", str(place)])
            _run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)])
        (place / _STAMP).write_text(_version_of_lock())
    return True


def _version_of_lock() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    descriptor = os.open(place.with_name(f"{place.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise EmbeddedError("is being installed by another process", where="superset") from None
    finally:
        os.close(descriptor)


def _uv() -> str | None:
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.prefix) / ".uv" / "bin"))


def _python() -> str:
    found = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which(f"python{PYTHON}")
    if found is None:
        raise EmbeddedError(f"no Python {PYTHON} here, which Superset's lock is for", where="superset")
    return found


def _run(command: list[str]) -> None:
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if done.returncode != 0:
        said = " ".join(done.stderr.replace("╰─▶", " ").replace("×", " ").split())[-500:]
        raise EmbeddedError(f"cannot be installed: {said}", where="superset")


if __name__ == "__main__":
    install(Path(sys.prefix) / PREPARED)
