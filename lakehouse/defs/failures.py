"""Platform errors as Dagster failures: one line, retried only where trying again can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lakehouse.errors import LakehouseError, TransientError

_MOST_RETRIES = 2
_FIRST_PAUSE_SECONDS = 2


@contextmanager
def as_failures(retried: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Turn a LakehouseError into a dagster.Failure that carries its line.

    With a context, the asset of it is tried twice more after a transient one. A RetryPolicy would do that too, but
    Dagster obeys it after an interrupt as well: a run that somebody terminates would begin its work again.
    """
    try:
        yield
    except LakehouseError as error:
        failure = dg.Failure(str(error), allow_retries=isinstance(error, TransientError))
        if retried is None or not failure.allow_retries:
            raise failure from error
        failure.__cause__ = error
        pause = _FIRST_PAUSE_SECONDS * 2**retried.retry_number
        raise dg.RetryRequested(_MOST_RETRIES, pause) from failure
