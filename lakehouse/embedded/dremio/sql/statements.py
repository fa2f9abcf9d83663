"""One statement's text as a typed Statement. Queries and DML are sqlglot's; the rest is parsed here by tokens."""

from __future__ import annotations

from sqlglot import exp

from lakehouse.embedded.dremio.sql.ddl import parse_alter, parse_create
from lakehouse.embedded.dremio.sql.grammar import parse_query, split_comment
from lakehouse.embedded.dremio.sql.model import (
    Delete,
    Describe,
    Drop,
    Explain,
    Insert,
    Merge,
    Parsed,
    Path,
    Query,
    Show,
    SqlError,
    Statement,
    Update,
)
from lakehouse.embedded.dremio.sql.names import table_path
from lakehouse.embedded.dremio.sql.reader import Reader

_QUERY_WORDS = {"SELECT", "WITH", "VALUES", "("}


def parse(text: str) -> Statement:
    """Parse one statement; a leading block comment and a trailing semicolon are dropped.

    Raises:
        SqlError: what is no Dremio SQL, or a statement the local engine does not support, by name.
    """
    return parse_with_comment(text).statement


def parse_with_comment(text: str) -> Parsed:
    """Like parse, together with the leading comment (dbt puts its node there as JSON)."""
    comment, body = split_comment(text)
    return Parsed(_statement(body), comment)


def _statement(text: str) -> Statement:
    reader = Reader(text)
    first = reader.peek()
    if first in _QUERY_WORDS:
        return Query(_query(text), text=text)
    match first:
        case "CREATE":
            return parse_create(reader)
        case "ALTER":
            return parse_alter(reader)
        case "DROP":
            return _drop(reader)
        case "INSERT" | "DELETE" | "UPDATE" | "MERGE":
            return _dml(text)
        case "SHOW":
            return _show(reader)
        case "DESCRIBE" | "DESC":
            reader.take()
            reader.accept("TABLE")
            path = reader.path()
            reader.end()
            return Describe(path, text=text)
        case "EXPLAIN":
            reader.take()
            reader.expect("PLAN")
            reader.accept("FOR")
            return Explain(_query(reader.rest()), text=text)
    raise SqlError(
        f"{first} {reader.peek(1)} is not supported by the local engine; run it on a Dremio server"
    )


def _query(text: str) -> exp.Expression:
    tree = parse_query(text)
    if not isinstance(tree, exp.Query | exp.Values):
        raise SqlError(f"{type(tree).__name__.upper()} inside a query is not supported by the local engine")
    return tree


def _drop(reader: Reader) -> Statement:
    reader.take()
    kind = reader.take().upper()
    if kind not in ("TABLE", "VIEW", "VDS"):
        raise SqlError(f"DROP {kind} is not supported by the local engine; run it on a Dremio server")
    if_exists = reader.accept("IF", "EXISTS")
    path = reader.path()
    reader.end()
    return Drop(path, "TABLE" if kind == "TABLE" else "VIEW", if_exists, text=reader.text)


def _show(reader: Reader) -> Statement:
    reader.take()
    what = reader.take().upper()
    what = {"DATABASES": "SCHEMAS"}.get(what, what)
    if what not in ("SCHEMAS", "TABLES", "VIEWS"):
        raise SqlError(f"SHOW {what} is not supported by the local engine; known are SCHEMAS, TABLES, VIEWS")
    path: Path = reader.path() if reader.accept("IN") or reader.accept("FROM") else ()
    like = reader.take() if reader.accept("LIKE") else None
    reader.end()
    return Show(what, path, like, text=reader.text)  # type: ignore[arg-type]


def _dml(text: str) -> Statement:
    tree = parse_query(text)
    match tree:
        case exp.Insert():
            if tree.args.get("overwrite"):
                raise SqlError("INSERT OVERWRITE is not Dremio SQL")
            target = tree.this
            columns: tuple[str, ...] = ()
            if isinstance(target, exp.Schema):
                columns = tuple(column.name for column in target.expressions)
                target = target.this
            query = tree.expression
            if not isinstance(query, exp.Query | exp.Values):
                raise SqlError("INSERT needs VALUES or a SELECT")
            query = query.unnest() if isinstance(query, exp.Subquery) else query
            return Insert(table_path(target), columns, query, text=text)
        case exp.Delete():
            if tree.args.get("using"):
                raise SqlError(
                    "DELETE ... USING is not supported by the local engine; use MERGE or a subquery"
                )
            where = tree.args.get("where")
            alias = tree.this.alias or None
            return Delete(table_path(tree.this), where.this if where else None, alias, text=text)
        case exp.Update():
            if tree.args.get("from_") or tree.args.get("from"):
                raise SqlError("UPDATE ... FROM is not supported by the local engine; use MERGE")
            where = tree.args.get("where")
            assignments = tuple((item.this.name, item.expression) for item in tree.expressions)
            alias = tree.this.alias or None
            return Update(table_path(tree.this), assignments, where.this if where else None, alias, text=text)
        case exp.Merge():
            return Merge(table_path(tree.this), tree, text=text)
    raise SqlError(f"{text.split(None, 1)[0].upper()}: cannot read the statement")
