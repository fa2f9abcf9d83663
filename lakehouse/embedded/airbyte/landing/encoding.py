"""Which columns of a Parquet file are worth a dictionary.

A dictionary of values that hardly repeat is given up when it is full, after all its work: for keys and measures
that is twenty times what writing them plainly costs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

_SAMPLE_ROWS = 16_384
_SAMPLE_BYTES = 4 * 2**20  # long values are few in a sample, not much memory
# Of a sample this size, about so many differ where 80,000 values occur: what fills the dictionary of 1 MB.
_MOSTLY_DIFFERENT = 0.9


def repeating_leaves(rows: pa.Table) -> list[str]:
    """The Parquet paths of the leaves whose values repeat, judged by rows taken evenly."""
    return [
        leaf
        for name, column in zip(rows.column_names, rows.columns, strict=True)
        for leaf, values in _values(name, _sample(column))
        if pc.count_distinct(values, mode="all").as_py() <= _MOSTLY_DIFFERENT * len(values)
    ]


def leaves_of(path: str, type_: pa.DataType) -> Iterator[str]:
    """The paths of a column's leaves as Parquet spells them."""
    if pa.types.is_struct(type_):
        for member in type_:
            yield from leaves_of(f"{path}.{member.name}", member.type)
    elif pa.types.is_list(type_):
        yield from leaves_of(f"{path}.list.element", type_.value_type)
    else:
        yield path


def _sample(column: pa.ChunkedArray) -> pa.Array:
    count = len(column)
    fitting = count * _SAMPLE_BYTES // max(1, column.nbytes)
    step = -(-count // max(1, min(_SAMPLE_ROWS, fitting)))
    taken = column.take(pa.array(range(0, count, step), pa.int64())) if count else column
    return taken.combine_chunks()


def _values(path: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """The leaves of an array by their paths."""
    if pa.types.is_struct(array.type):
        for member in array.type:
            yield from _values(f"{path}.{member.name}", array.field(member.name))
    elif pa.types.is_list(array.type):
        yield from _values(f"{path}.list.element", array.flatten())
    else:
        yield path, array
