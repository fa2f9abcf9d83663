"""`${kind:name}` references in declared configurations: secrets and addresses stay out of the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lakehouse.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\{([a-z]+):([^}]*)\}")
KINDS = "${env:NAME} (a text), ${int:NAME} (a number) and ${package:NAME} (an installed package's directory)"


def resolve(value: Any, environ: Mapping[str, str], *, where: str) -> Any:
    """`value` with every reference replaced, at any depth.

    `where` begins the error messages: file and key, `shop/defs.yaml: source.configuration`.

    Raises:
        ConfigurationError: a variable that is not set, a package that is not installed, an unknown kind.
    """
    if isinstance(value, dict):
        return {key: resolve(item, environ, where=f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, environ, where=f"{where}.{index}") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _one(whole[1], whole[2], environ, where)
    return _REFERENCE.sub(lambda match: str(_one(match[1], match[2], environ, where)), value)


def _one(kind: str, name: str, environ: Mapping[str, str], where: str) -> str | int:
    if kind == "package":
        return _package_directory(name, where)
    if kind not in ("env", "int"):
        raise ConfigurationError(
            f"unknown reference ${{{kind}:{name}}}", where=where, remedy=f"known are {KINDS}"
        )
    if name not in environ:
        remedy = "set it in the environment or in <home>/lakehouse.env; `lakehouse up` writes the demo's"
        raise ConfigurationError(f"{name} is not set", where=where, remedy=remedy)
    if kind == "env":
        return environ[name]
    try:
        return int(environ[name])
    except ValueError:
        raise ConfigurationError(f"{name} is no whole number", where=where) from None


def _package_directory(name: str, where: str) -> str:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            f"package {name} is not installed",
            where=where,
            remedy="install the extra: pip install lakehouse[demo]",
        )
    return str(Path(spec.origin).parent)
