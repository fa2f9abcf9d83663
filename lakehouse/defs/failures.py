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


def failure_line(event: dg.DagsterEvent) -> str:
    """Why a step failed, in one line: the platform's own, else the error's."""
    data = event.step_failure_data
    told = data.user_failure_data.description if data.user_failure_data else None
    error = data.error.cause or data.error if data.error else None
    text = told or (error.message if error else event.message or "failed")
    return f"{event.step_key}: {' '.join(text.split())}"
