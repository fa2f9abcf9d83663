"""Dremio SQL in, DuckDB SQL out: parsing, name rules, function semantics, reflection matching. Pure functions, no I/O."""

from lakehouse.embedded.dremio.sql.model import Plan, Resolver, SqlError, Statement
from lakehouse.embedded.dremio.sql.plan import plan
from lakehouse.embedded.dremio.sql.statements import parse

__all__ = ["Plan", "Resolver", "SqlError", "Statement", "parse", "plan"]
