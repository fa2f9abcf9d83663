"""The dbt project and the datasets it declares, parsed only when its files are newer than its manifest."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lakehouse.catalog.boards import DeclaredBoard, load_boards
from lakehouse.catalog.datasets import Catalog
from lakehouse.catalog.manifest import load_catalog
from lakehouse.errors import ConfigurationError
from lakehouse.settings import PREFIX

PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"
PARSED_FOLDERS = ("models", "macros", "tests", "snapshots", "seeds")
_PARSED = ("*.yml", *(f"{folder}/**/*" for folder in PARSED_FOLDERS))


@cache
def declared_datasets(project_dir: Path = PROJECT_DIR) -> Catalog:
    """Every dataset that the project declares.

    Raises:
        ConfigurationError: the project does not parse, or declares something wrongly; names file and key.
    """
    return load_catalog(prepared_manifest(project_dir))


@cache
def declared_boards(project_dir: Path = PROJECT_DIR) -> dict[str, DeclaredBoard]:
    """What the project's dashboards show, by the name of the exposure; those without a file are not in it.

    Raises:
        ConfigurationError: a chart over what does not exist, and the like; names file and key.
    """
    return load_boards(project_dir, declared_datasets(project_dir))


def prepared_manifest(project_dir: Path = PROJECT_DIR) -> Path:
    """The project's manifest.json, parsed anew only when it is missing or older than a file of the project.

    One process parses, others wait for it. Run workers find the manifest that loading the code location left.
    """
    manifest = project_dir / "target" / "manifest.json"
    if _is_current(manifest, project_dir):
        return manifest
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with _locked(manifest.with_name("parse.lock")):
        if not _is_current(manifest, project_dir):
            _parse(project_dir)
    return manifest


def settings_variables() -> list[str]:
    """The LAKEHOUSE_ variables that are set."""
    return [name for name in os.environ if name.startswith(PREFIX)]


def _is_current(manifest: Path, project_dir: Path) -> bool:
    """Whether no file is newer than the manifest, and no folder, from which one was taken away or renamed."""
    if not manifest.is_file():
        return False
    parsed = manifest.stat().st_mtime
    return all(
        path.stat().st_mtime <= parsed
        for pattern in _PARSED
        for path in (project_dir / pattern.partition("/")[0], *project_dir.glob(pattern))
        if path.exists()
    )


def _parse(project_dir: Path) -> None:
    command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-use-colors", "parse"]
    environ = {
        # Parsing renders the profile but connects to nothing. Its defaults make the parse the same everywhere:
        # dbt parses all anew when an environment variable of the profile changes.
        **{name: value for name, value in os.environ.items() if name not in settings_variables()},
        "DBT_PROJECT_DIR": str(project_dir),
        "DBT_PROFILES_DIR": str(project_dir),
        "DBT_TARGET_PATH": str(project_dir / "target"),
        "DBT_LOG_PATH": str(project_dir / "target"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    done = subprocess.run(
        command, cwd=project_dir, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        text = " ".join((done.stdout + done.stderr).split())
        raise ConfigurationError(f"dbt cannot parse the project: {text[-800:]}", where=str(project_dir))
    os.utime(project_dir / "target" / "manifest.json")  # dbt leaves it alone when nothing changed


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
