"""Dataframes out of the lakehouse, for notebooks and programs.

The same call serves the engine of `lakehouse up` and a real Dremio: settings say where it is. Rows come over
Arrow Flight.

>>> import lakehouse
>>> with lakehouse.connect() as lake:
...     small = lake.sql("select n, s from (values (1, 'a'), (2, 'b')) as t(n, s) where n < ?", [2])
...     small.arrow().to_pylist()
[{'n': 1, 's': 'a'}]
"""

from lakehouse.client.connection import Connection, connect
from lakehouse.client.parameters import Parameters, Value, bound
from lakehouse.client.progress import Progress, Received, TerminalProgress
from lakehouse.client.result import Result

__all__ = [
    "Connection",
    "Parameters",
    "Progress",
    "Received",
    "Result",
    "TerminalProgress",
    "Value",
    "bound",
    "connect",
]
