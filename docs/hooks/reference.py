"""The reference, made of the code while the site is built (a hook of mkdocs); nothing of it is kept."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import typer
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

import lakehouse.defs.monitoring.metrics
import lakehouse.observability.metrics
from lakehouse.api.openapi import document
from lakehouse.api.operations import operations_of
from lakehouse.api.platform import Platform
from lakehouse.catalog import meta as declared
from lakehouse.cli.app import app
from lakehouse.observability.metrics.metric import Metric
from lakehouse.settings import Settings, known_keys

ROOT = Path(__file__).parents[2]


def on_files(files: Files, *, config: Any) -> Files:
    """Add a page of each kind."""
    pages: dict[str, Callable[[], str]] = {
        "settings": settings, "meta": meta, "cli": command_line, "metrics": metrics, "rest": rest,
        "versions": versions,
    }  # fmt: skip
    for name, page in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def settings() -> str:
    """Every key; what they mean stands in the README, which a test holds against the code."""
    rows = dict(
        re.findall(r"^\| `(LAKEHOUSE_\w+)` \|(.*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    )
    table = "\n".join(f"| `{key}` |{rows[key].replace('(docs/', '(../')}|" for key in known_keys())
    return (
        "# Settings\n\nEnvironment first, then `<home>/lakehouse.env`, then the default. An unknown key is an error.\n\n"
        f"| key | default | meaning |\n|---|---|---|\n{table}\n"
    )


def meta() -> str:
    """The declarations of lakehouse/catalog/meta.py, each with its fields."""
    tops = [declared.TableMeta, declared.PlatformMeta, declared.ModelMeta, declared.ExposureMeta]
    others = [kind for kind in _models(declared) if kind not in tops]
    sections = [_section(kind) for kind in (*tops, *others)]
    return "\n\n".join([
        "# meta.lakehouse",
        "What a dataset may declare about itself in the dbt project. An unknown key is an error that names file and key. "
        "Durations are a number and one of s, m, h, d.",
        *sections,
        _words(declared),
    ])  # fmt: skip


def command_line() -> str:
    """Every command with its help, as it prints it."""

    def commands(command: Any, path: str, parent: Any) -> Iterator[str]:
        context = command.context_class(command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent)
        if hasattr(command, "list_commands"):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None and not child.hidden:
                    yield from commands(child, f"{path} {name}", context)
            return
        yield f"## {path}\n\n{textwrap.dedent(inspect.cleandoc(command.help or ''))}\n\n{_parameters(command, context)}"

    return "# Command line\n\n" + "\n\n".join(commands(typer.main.get_command(app), "lakehouse", None))


def metrics() -> str:
    """Every declared metric."""
    found: dict[str, Metric] = {}
    for package in (lakehouse.observability.metrics, lakehouse.defs.monitoring.metrics):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                for metric in value if isinstance(value, tuple) else (value,):
                    if isinstance(metric, Metric):
                        found[metric.name] = metric
    rows = [
        (f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), _cell(m.about))
        for _, m in sorted(found.items())
    ]
    return "# Metrics\n\n[Where they come from](../metrics.md).\n\n" + _table(
        ("metric", "kind", "labels", "what it tells"), rows
    )


def rest() -> str:
    """Every path of the OpenAPI document, and the shapes of what is asked and answered."""
    with tempfile.TemporaryDirectory() as home, dg.DagsterInstance.ephemeral() as instance:
        described = document(operations_of(Platform(Settings(home=Path(home)), instance)), {})
    sections = [
        _operation(f"{method.upper()} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    shapes = [
        f"### {name}\n\n{shape.get('description', '')}\n\n" + _table(("field", "type"), rows)
        for name, shape in sorted(described["components"]["schemas"].items())
        if (rows := [(f"`{key}`", f"`{_shape(of)}`") for key, of in shape.get("properties", {}).items()])
    ]
    intro = (
        "[How to ask](../api.md). `/health` and `/metrics` are answered too, and at `/openapi.json` the server gives all of "
        "this as an OpenAPI 3.1 document."
    )
    return "\n\n".join(["# REST", intro, *sections, "## Shapes", *shapes])


def _operation(title: str, operation: dict[str, Any]) -> str:
    rows = [
        (f"`{p['name']}`", p["in"], "yes" if p["required"] else "", f"`{_shape(p['schema'])}`")
        for p in operation["parameters"]
    ]
    parts = [f"## {title}", f"{operation['summary']}."]
    if rows:
        parts.append(_table(("parameter", "in", "required", "type"), rows))
    if "requestBody" in operation:
        parts.append(f"It is asked with a `{_content(operation['requestBody'])}`.")
    parts.append(f"It answers with a `{_content(operation['responses']['200'])}`.")
    return "\n\n".join(parts)


def _content(described: dict[str, Any]) -> str:
    return _shape(described["content"]["application/json"]["schema"])


def versions() -> str:
    """What pyproject.toml allows, with the reasons that stand beside it, and what the lock holds."""
    text = (ROOT / "pyproject.toml").read_text()
    locked = dict(
        re.findall(r"^([\w.-]+)==([^\s\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    needed = text[text.index("dependencies = [") : text.index("[project.optional-dependencies]")]
    rows = []
    for name, allowed, why in re.findall(
        r'^    "([\w.-]+)(?:\[[^\]]+\])?([^"]*)",(?:\s+# (.*))?$', needed, re.MULTILINE
    ):
        key = re.sub("[-_.]+", "-", name).lower()
        rows.append((name, f"`{allowed}`" if allowed else "", locked.get(key, ""), _cell(why)))
    python = re.search(r'^requires-python = "([^"]+)"', text, re.MULTILINE)
    intro = (
        f"Linux, and Python `{python[1] if python else ''}`. `make install` installs exactly what is locked."
    )
    table = _table(("package", "allowed", "locked", "why"), rows)
    return f"# Versions\n\n{intro}\n\n{table}\n"


def _models(module: ModuleType) -> Iterable[Any]:
    return [
        kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, BaseModel)
        and kind.__module__ == module.__name__
        and name[0] != "_"
    ]


def _section(kind: Any) -> str:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    below = _texts_below(body)
    rows = []
    for line in body.body:
        if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
            continue
        name = line.target.id
        field = kind.model_fields[name]
        default = "required" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
        key, written = f"`{field.alias or name}`", f"`{ast.unparse(line.annotation)}`"
        rows.append((key, written, _cell(default) if len(default) < 60 else "", below.get(name, "")))
    doc = inspect.getdoc(kind) if vars(kind).get("__doc__") else ""
    return f"## {kind.__name__}\n\n{doc or ''}\n\n" + _table(("key", "type", "default", "meaning"), rows)


def _words(module: ModuleType) -> str:
    """The names for types that the declarations use."""
    tree = ast.parse(inspect.getsource(module))
    below = _texts_below(tree)
    rows = []
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Subscript):
            name, value = ast.unparse(line.targets[0]), ast.unparse(line.value)
            shown = f"`{value}`" if value.startswith("Literal") else ""
            rows.append((f"`{name}`", shown, below.get(name, "")))
    return "## Names of types\n\n" + _table(("type", "values", "meaning"), rows)


def _texts_below(body: Any) -> dict[str, str]:
    """The strings below fields and names, which Python does not keep."""
    texts = {}
    for line, below in pairwise(body.body):
        target = line.target if isinstance(line, ast.AnnAssign) else getattr(line, "targets", [None])[0]
        if (
            isinstance(target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            texts[target.id] = _cell(str(below.value.value))
    return texts


def _parameters(command: Any, context: Any) -> str:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and "--help" not in record[0]:
            rows.append((f"`{record[0]}`", _cell(record[1])))
    return _table(("argument", "meaning"), rows) if rows else ""


def _shape(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_shape(one) for one in schema["anyOf"])
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_shape(schema['items'])}"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    return str(schema.get("format") or schema.get("type") or "any")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
