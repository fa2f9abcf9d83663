"""Dremio's SQL for Superset's parser: read for what it is, and written again with the functions as they were.

Superset reads every statement with sqlglot and writes it anew. Its Dremio dialect turns functions into others
(TO_CHAR(ts, 'YYYY-MM') became CAST(ts AS VARCHAR), a wrong chart without an error).
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.dremio import Dremio

_WITH_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM", "OVERLAY")
"""Functions whose arguments are not a plain list: these have to be understood to be read."""


class DremioAsWritten(Dremio):
    """A function that is not known is written as it was read, so none is known but those with a syntax of their own."""

    NORMALIZE_FUNCTIONS = False

    class Parser(Dremio.Parser):
        FUNCTIONS = {}
        NO_PAREN_FUNCTIONS = {}
        NO_PAREN_FUNCTION_PARSERS = {
            name: parse
            for name, parse in Dremio.Parser.NO_PAREN_FUNCTION_PARSERS.items()
            if name != "CURRENT_DATE_UTC"
        }
        FUNCTION_PARSERS = {
            name: parse for name, parse in Dremio.Parser.FUNCTION_PARSERS.items() if name in _WITH_SYNTAX
        }

    class Generator(Dremio.Generator):
        TRANSFORMS = {
            **Dremio.Generator.TRANSFORMS,
            exp.StrPosition: lambda self, e: f"POSITION({self.sql(e, 'substr')} IN {self.sql(e, 'this')})",
        }
