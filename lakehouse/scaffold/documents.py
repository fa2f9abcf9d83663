"""The declarations of proposed streams as plain data: defs.yaml, dbt source tables, staging models and SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from lakehouse.scaffold.proposal import Proposal
from lakehouse.scaffold.source import NewSource

Document = dict[str, Any]
COMPONENT = "lakehouse.defs.ingestion.component.LakehouseAirbyteComponent"


def connection(source: NewSource, proposals: Iterable[Proposal]) -> Document:
    """`defs/ingestion/<name>/defs.yaml`."""
    streams = []
    for proposal in proposals:
        stream: Document = {"name": proposal.stream.name, "sync_mode": proposal.sync_mode}
        if proposal.cursor:
            stream["cursor_field"] = list(proposal.cursor)
        stream["primary_key"] = [[proposal.stream.fields[column]] for column in proposal.primary_key]
        streams.append(stream)
    return {
        "type": COMPONENT,
        "attributes": {
            "source": {"name": source.name, "configuration": dict(source.configuration)},
            "connection": {"name": source.name, "namespace": source.name, "streams": streams},
        },
    }


def sources(source: NewSource, proposals: Iterable[Proposal]) -> Document:
    """`models/sources/<name>.yml`: the bronze tables, with key, partitions and contract."""
    return {
        "version": 2,
        "sources": [
            {
                "name": source.name,
                "description": f"{source.what}, current rows.",
                "database": "lake",
                "schema": "bronze",
                "tables": [_source_table(source, proposal) for proposal in proposals],
            }
        ],
    }


def staging(source: NewSource, proposals: Iterable[Proposal]) -> Document:
    """`models/staging/<name>/staging_<name>.yml`: the staging models and their tests."""
    return {"version": 2, "models": [_staging_model(source, proposal) for proposal in proposals]}


def staging_sql(source: NewSource, proposal: Proposal) -> str:
    """The staging model: every column as it is, by its own name, and the day of rows that are kept in days."""
    selected = [_quoted(name) for name in proposal.stream.columns]
    config, where = "", ""
    if proposal.partition:
        moment = proposal.partition[0]
        if proposal.day != moment:
            selected.append(f"cast({_quoted(moment)} as date) as {_quoted(str(proposal.day))}")
        config = f"{{{{ config(materialized='incremental', partition_by=['{proposal.day}']) }}}}\n\n"
        where = f"where {{{{ in_window('{_quoted(moment)}') }}}}\n"
    columns = ",\n".join(f"    {column}" for column in selected)
    table = f"{source.name}__{proposal.table}"
    return f"{config}select\n{columns}\nfrom {{{{ source('{source.name}', '{table}') }}}}\n{where}"


def model_name(source: NewSource, proposal: Proposal) -> str:
    """The staging model of a stream."""
    return f"stg_{source.name}__{proposal.table}"


def _source_table(source: NewSource, proposal: Proposal) -> Document:
    columns = [_contract(name, type_, proposal) for name, type_ in proposal.stream.columns.items()]
    meta: Document = {
        "connection": source.name,
        "stream": proposal.stream.name,
        "primary_key": list(proposal.primary_key),
        **(_partition_by(*proposal.partition) if proposal.partition else {}),
        "contract": {"columns": [column for column in columns if len(column) > 1]},
    }
    return {
        "name": f"{source.name}__{proposal.table}",
        "description": f"Stream {proposal.stream.name}, {proposal.how}.",
        "config": {"meta": {"lakehouse": meta}},
        "columns": [_column(name, type_) for name, type_ in proposal.stream.columns.items()],
    }


def _staging_model(source: NewSource, proposal: Proposal) -> Document:
    columns = []
    days = {str(proposal.day): "date"} if proposal.day else {}
    for name, type_ in {**proposal.stream.columns, **days}.items():
        column = _column(name, type_)
        tests = ["unique"] if proposal.primary_key == (name,) else []
        tests += ["not_null"] if name in proposal.required else []
        if tests:
            column |= {"quote": True, "data_tests": tests}
        columns.append(column)
    model: Document = {
        "name": model_name(source, proposal),
        "description": f"Rows of {source.name}'s {proposal.stream.name}.",
    }
    if proposal.partition:
        model["config"] = {"meta": {"lakehouse": _partition_by(str(proposal.day), proposal.partition[1])}}
    if len(proposal.primary_key) > 1:
        together = {"arguments": {"combination_of_columns": list(proposal.primary_key)}}
        model["data_tests"] = [{"unique_combination_of_columns": together}]
    return model | {"columns": columns}


def _partition_by(column: str, first: date) -> Document:
    return {"partition_by": {"column": column, "granularity": "day", "start": first}}


def _contract(name: str, type_: str, proposal: Proposal) -> Mapping[str, Any]:
    required: Mapping[str, Any] = {"nullable": False} if name in proposal.required else {}
    return {"name": name, **({"type": type_} if type_ else {}), **required}


def _column(name: str, type_: str) -> Document:
    return {"name": name, **({"data_type": type_} if type_ else {})}


def _quoted(name: str) -> str:
    """Quoted whatever it is: which words are reserved differs between Dremio's versions."""
    return f'"{name}"'
