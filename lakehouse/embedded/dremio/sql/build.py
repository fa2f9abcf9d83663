"""Small constructors for DuckDB expressions."""

from __future__ import annotations

from sqlglot import exp

from lakehouse.embedded.dremio.sql.model import SqlError

BIGINT = exp.DataType.Type.BIGINT
BOOLEAN = exp.DataType.Type.BOOLEAN
DATE = exp.DataType.Type.DATE
DOUBLE = exp.DataType.Type.DOUBLE
INT = exp.DataType.Type.INT
TIME = exp.DataType.Type.TIME
TIMESTAMP = exp.DataType.Type.TIMESTAMP
UNKNOWN = exp.DataType.Type.UNKNOWN
VARCHAR = exp.DataType.Type.VARCHAR

TIMESTAMPS = frozenset({
    exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ, exp.DataType.Type.DATETIME,
    exp.DataType.Type.TIMESTAMP_MS, exp.DataType.Type.TIMESTAMPTZ,
})  # fmt: skip


def call(name: str, *arguments: exp.Expression | str | int) -> exp.Anonymous:
    """A DuckDB function call; str and int arguments become literals."""
    return exp.Anonymous(this=name, expressions=[_literal(a) for a in arguments])


def _literal(value: exp.Expression | str | int) -> exp.Expression:
    if isinstance(value, str):
        return exp.Literal.string(value)
    return exp.Literal.number(value) if isinstance(value, int) else value


def kind(expression: exp.Expression) -> exp.DataType.Type:
    """The annotated type, UNKNOWN where sqlglot could not tell; every timestamp is TIMESTAMP."""
    if expression.type is None:
        return UNKNOWN
    this = expression.type.this
    return TIMESTAMP if this in TIMESTAMPS else this


def type_of_argument(expression: exp.Expression) -> exp.DataType | exp.DataType.Type:
    """The annotated type as it is, for functions that give what they take."""
    return expression.type or UNKNOWN


def is_text(expression: exp.Expression) -> bool:
    return kind(expression) in exp.DataType.TEXT_TYPES


def is_number(expression: exp.Expression) -> bool:
    return kind(expression) in exp.DataType.NUMERIC_TYPES


def is_integer(expression: exp.Expression) -> bool:
    return kind(expression) in exp.DataType.INTEGER_TYPES


def literal_text(expression: exp.Expression, function: str, what: str) -> str:
    """The value of a string literal. Raises SqlError where the SQL has something else."""
    if not (isinstance(expression, exp.Literal) and expression.is_string):
        raise SqlError(f"{function}: {what} must be a string literal in the local engine")
    return str(expression.this)


def need_type(expression: exp.Expression, function: str) -> exp.DataType.Type:
    """The type, or SqlError when it cannot be told; with the remedy."""
    found = kind(expression)
    if found == UNKNOWN:
        raise SqlError(f"{function}: cannot tell the type of {expression.sql('dremio')}; cast it")
    return found
