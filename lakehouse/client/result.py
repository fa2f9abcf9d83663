"""The answer to a statement as Arrow, pandas, Polars or a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lakehouse.client.progress import Progress, Received
from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl
    import pyarrow as pa

Opened = AbstractContextManager["tuple[pa.RecordBatchReader, pa.RecordBatch | None]"]


class Result:
    """A statement that waits to be asked; each question runs it anew.

    Every method raises ServiceDownError, ServiceRefusedError (a statement that Dremio cannot run; carries its
    words) or TransientError. A read is tried again while nothing of it has come: after the first batch an error
    is an error.

    >>> import lakehouse
    >>> with lakehouse.connect() as lake:
    ...     result = lake.sql("select n, n * n as square from (values (2), (3)) as t(n)")
    ...     print(result.pandas())
    ...     result.polars().rows()
       n  square
    0  2       4
    1  3       9
    [(2, 4), (3, 9)]
    """

    def __init__(self, sql: str, reading: Callable[[], Opened], progress: Progress | None) -> None:
        self.sql = sql
        """The statement as it is sent."""
        self._reading = reading
        self._progress = progress

    def __repr__(self) -> str:
        return f"Result({self.sql!r})"

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return self.batches().read_all()

    def pandas(self) -> pd.DataFrame:
        """All rows in pandas. Whole numbers and booleans come as its nullable types, so that a null changes none;
        decimals and dates as Python objects."""
        pandas: Any = _installed("pandas")
        import pyarrow as pa

        kinds = {
            pa.int32(): pandas.Int32Dtype(),
            pa.int64(): pandas.Int64Dtype(),
            pa.bool_(): pandas.BooleanDtype(),
        }
        return self.arrow().to_pandas(types_mapper=kinds.get)

    def polars(self) -> pl.DataFrame:
        """All rows in Polars."""
        polars: Any = _installed("polars")
        return polars.from_arrow(self.arrow())

    def batches(self) -> pa.RecordBatchReader:
        """The rows as a stream of Arrow batches: memory holds the batch at hand, not the result.

        The first batch has come when this returns. Dropping the stream before its end cancels the query.

        >>> import lakehouse
        >>> with lakehouse.connect() as lake:
        ...     sum(batch.num_rows for batch in lake.sql("select * from (values (1), (2)) as t(n)").batches())
        2
        """
        import pyarrow as pa

        parts = self._parts()
        schema = next(parts)
        return pa.RecordBatchReader.from_batches(schema, parts)

    def _parts(self) -> Iterator[Any]:
        """The schema, then the batches."""
        with self._reading() as (reader, first):
            yield reader.schema
            rows = size = 0
            batch = first
            while batch is not None:
                rows, size = rows + batch.num_rows, size + batch.nbytes
                if self._progress is not None:
                    self._progress(Received(rows, size))
                yield batch
                batch = next(reader, None)


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        remedy = "install the package's extra: lakehouse[dataframes]"
        raise ConfigurationError(f"{name} is not installed", remedy=remedy) from None
