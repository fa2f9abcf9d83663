"""JSON schemas as Airbyte types and Parquet columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from lakehouse.embedded.airbyte.types import Kind, airbyte_type, columns_of, json_schema_of, parquet_name

UTC = pa.timestamp("us", "UTC")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, pa.string()),
        ({"type": ["null", "string"]}, pa.string()),
        ({"type": "boolean"}, pa.bool_()),
        ({"type": "integer"}, pa.int64()),
        ({"type": "number", "airbyte_type": "integer"}, pa.int64()),
        ({"type": "number"}, pa.float64()),
        ({"type": "string", "format": "date"}, pa.date32()),
        ({"type": "string", "format": "time", "airbyte_type": "time_without_timezone"}, pa.time64("us")),
        ({"type": "string", "format": "time", "airbyte_type": "time_with_timezone"}, pa.time64("us")),
        ({"type": "string", "format": "date-time"}, UTC),
        ({"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"}, UTC),
        ({"type": "object"}, pa.string()),
        ({"type": "array"}, pa.string()),
        ({}, pa.string()),
        ({"type": "array", "items": {"type": "integer"}}, pa.list_(pa.field("element", pa.int64()))),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, pa.struct([("a", pa.int64())])),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, pa.float64()),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, pa.string()),
        (
            {"type": ["integer", "string"]},
            pa.struct([("type", pa.string()), ("integer", pa.int64()), ("string", pa.string())]),
        ),
    ],
)
def test_a_schema_becomes_the_parquet_type_of_destination_s3(
    schema: dict[str, Any], expected: pa.DataType
) -> None:
    assert airbyte_type(schema).arrow == expected


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (Kind.ARRAY, Kind.OBJECT, Kind.UNION)])
def test_what_our_sources_declare_reads_back_as_the_same_kind(kind: Kind) -> None:
    assert airbyte_type(json_schema_of(kind)).kind is kind


@pytest.mark.parametrize(
    ("field", "name"), [("a b", "a_b"), ("1st", "_1st"), ("prénom", "pr_nom"), ("ok_1", "ok_1")]
)
def test_field_names_become_letters_digits_and_underscores(field: str, name: str) -> None:
    assert parquet_name(field) == name


def test_two_fields_of_one_column_name_are_refused_by_name() -> None:
    schema = {"properties": {"a b": {"type": "string"}, "a-b": {"type": "string"}}}
    with pytest.raises(ValueError, match="'a b' and 'a-b' both become column 'a_b'"):
        columns_of(schema)
