"""Installs sources: Airbyte's Python connectors from PyPI, and low-code manifests, which airbyte-cdk runs.

Each Python connector has a virtual environment of its own, on Python 3.11: of many connectors the newest release
has no wheels for a later one. All manifests share one environment, that of airbyte-cdk.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lakehouse.embedded.airbyte.connectors.installed import (
    Installed,
    connectors_folder,
    forget,
    installed_connector,
    record,
)
from lakehouse.embedded.airbyte.connectors.registry import BUILT_IN
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess
from lakehouse.embedded.errors import EmbeddedError

PYTHON = "3.11"
CDK_ENVIRONMENT = ".airbyte-cdk"
_CDK = "airbyte-cdk>=7.39,<8"
_MANIFEST_RUNNER = "source-declarative-manifest"
_SPEC_SECONDS = 120


def install_package(home: Path, name: str) -> Installed:
    """Installs `airbyte-source-<name>` from PyPI, in the place of an earlier installation.

    Raises EmbeddedError: no such package, no uv, no Python 3.11, or a connector that does not answer `spec`.
    """
    type_ = source_type(name)
    with _folder_of(home, type_) as folder:
        environment = Path(tempfile.mkdtemp(prefix="env-", dir=folder))
        _environment(environment, f"airbyte-source-{type_}")
        command = (str(environment / "bin" / f"source-{type_}"),)
        spec = _spec(command, folder)
        version = _version(environment, f"airbyte-source-{type_}")
        connector = Installed(
            type=type_, package=f"airbyte-source-{type_}", version=version, command=command, spec=spec,
            folder=str(environment),
        )  # fmt: skip
        record(home, connector)
    return connector


def install_manifest(home: Path, name: str, manifest: Path) -> Installed:
    """Registers a low-code manifest as a source type; its configuration is the manifest's own `spec`.

    Raises EmbeddedError: the file is no manifest, or airbyte-cdk cannot be installed.
    """
    type_ = source_type(name)
    described = _manifest(manifest)
    runner = _cdk(home) / "bin" / _MANIFEST_RUNNER
    with _folder_of(home, type_) as folder:
        place = Path(tempfile.mkdtemp(prefix="env-", dir=folder))
        shutil.copyfile(manifest, place / "manifest.yaml")
        command = place / f"source-{type_}"
        arguments = f"--manifest-path {shlex.quote(str(place / 'manifest.yaml'))}"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(runner))} "$@" {arguments}\n')
        command.chmod(0o755)
        connector = Installed(
            type=type_, package=str(manifest.name), version=str(described["version"]), command=(str(command),),
            spec=described["spec"]["connection_specification"], folder=str(place),
        )  # fmt: skip
        record(home, connector)
    return connector


def remove(home: Path, name: str) -> None:
    """Removes a connector with its environment. Raises EmbeddedError when there is none of the name."""
    type_ = source_type(name)
    if not (connectors_folder(home) / type_).exists():
        raise EmbeddedError(
            f"connector source-{type_} is not installed", remedy="see `lakehouse connector list`"
        )
    with _folder_of(home, type_) as folder:
        forget(home, type_)
        shutil.rmtree(folder)


def source_type(name: str) -> str:
    """The type that the API names a source by: `faker` of `source-faker`.

    Raises EmbeddedError for a name that no connector can have, and for a built-in source.
    """
    type_ = name.removeprefix("airbyte-").removeprefix("source-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", type_):
        raise EmbeddedError(
            f"{name!r} is no connector's name",
            remedy="it looks like source-faker: small letters, digits, hyphens",
        )
    if any(source.type == type_ for source in BUILT_IN):
        raise EmbeddedError(f"source {type_} is built in", remedy="use it as it is, or give another name")
    return type_


@contextmanager
def _folder_of(home: Path, type_: str) -> Iterator[Path]:
    """The folder of a connector, held against other installations; what is not recorded goes at the end."""
    folder = connectors_folder(home) / type_
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(connectors_folder(home) / f".lock-{type_}", f"source-{type_}"):
        try:
            yield folder
        finally:
            _clean(home, folder)


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise EmbeddedError(f"{what} is being installed by another process", remedy="wait for it") from None
    finally:
        os.close(descriptor)


def _clean(home: Path, folder: Path) -> None:
    if not folder.exists():
        return
    current = installed_connector(home, folder.name)
    for place in folder.glob("env-*"):
        if current is None or str(place) != current.folder:
            shutil.rmtree(place)
    if current is None:
        shutil.rmtree(folder)


def _cdk(home: Path) -> Path:
    """The environment of airbyte-cdk: the one `make install` prepared, else the home's own."""
    prepared = Path(sys.prefix) / CDK_ENVIRONMENT
    if (prepared / "bin" / _MANIFEST_RUNNER).exists():
        return prepared
    own = connectors_folder(home) / CDK_ENVIRONMENT
    done = own / ".installed"
    own.mkdir(parents=True, exist_ok=True)
    with _locked(connectors_folder(home) / ".lock-airbyte-cdk", "airbyte-cdk"):
        if not done.exists():
            _environment(own, _CDK)
            done.touch()
    return own


def _environment(place: Path, requirement: str) -> None:
    uv = _uv()
    _run([uv, "venv", "--quiet", "--clear", "--python", PYTHON, str(place)], "a Python 3.11 environment")
    python = str(place / "bin" / "python")
    _run(
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, requirement], requirement
    )


def _uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.prefix) / ".uv" / "bin"))
    if found is None:
        raise EmbeddedError("uv is not installed", remedy="install it with `pip install uv`")
    return found


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.replace("╰─▶", " ").replace("×", " ").split())[:500]
        raise EmbeddedError(f"cannot install {what}: {said}")


def _version(environment: Path, package: str) -> str:
    python = str(environment / "bin" / "python")
    script = "import sys, importlib.metadata; print(importlib.metadata.version(sys.argv[1]))"
    return subprocess.run(
        [python, "-c", script, package], capture_output=True, text=True, check=True
    ).stdout.strip()


def _spec(command: tuple[str, ...], scratch: Path) -> dict[str, Any]:
    try:
        with ConnectorProcess(command, "spec", {}, scratch, seconds=_SPEC_SECONDS) as process:
            specs = [message.spec for message in process.messages() if message.spec is not None]
    except ConnectorError as error:
        raise EmbeddedError(f"the installed connector does not answer spec: {error}") from error
    if not specs or not isinstance(specs[-1].get("connectionSpecification"), dict):
        raise EmbeddedError("the installed connector answered spec without a connectionSpecification")
    schema: dict[str, Any] = specs[-1]["connectionSpecification"]
    return schema


def _manifest(path: Path) -> dict[str, Any]:
    try:
        described = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = f"cannot be read: {' '.join(str(error).split())}"
        raise EmbeddedError(problem, where=str(path)) from None
    spec = described.get("spec") if isinstance(described, dict) else None
    if (
        not isinstance(described, dict)
        or described.get("type") != "DeclarativeSource"
        or "version" not in described
    ):
        raise EmbeddedError(
            "is no low-code manifest",
            where=str(path),
            remedy="it needs `version` and `type: DeclarativeSource`",
        )
    if not isinstance(spec, dict) or not isinstance(spec.get("connection_specification"), dict):
        problem = "has no spec.connection_specification"
        raise EmbeddedError(problem, where=str(path), remedy="declare what its configuration is")
    return described
