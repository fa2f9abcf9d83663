"""Platform errors as Dagster failures: one line, retried only where trying again can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lakehouse.errors import LakehouseError, TransientError

RETRIES = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def as_failures() -> Iterator[None]:
    """Turn a LakehouseError into a dagster.Failure that carries its line; transient ones may be retried."""
    try:
        yield
    except LakehouseError as error:
        raise dg.Failure(str(error), allow_retries=isinstance(error, TransientError)) from error
