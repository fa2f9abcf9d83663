"""What is let through to Dremio: one SELECT, WITH … SELECT, or EXPLAIN PLAN FOR one of them."""

from __future__ import annotations

import re

from lakehouse.api.problems import ApiError

MOST_CHARACTERS = 20_000
_COMMENTS = r"(?:\s|--[^\n]*\n|/\*(?!\+).*?\*/)*"
_EXPLAIN = re.compile(rf"{_COMMENTS}EXPLAIN\s+PLAN\s+FOR\s", re.IGNORECASE | re.DOTALL)
_BEGINS = re.compile(rf"{_COMMENTS}(?:\(|(?:SELECT|WITH)\b)", re.IGNORECASE | re.DOTALL)
_RUN_ELSEWHERE = frozenset({"EXTERNAL_QUERY"})
"""Table functions that hand a text on to another database, which may write there."""


def require_read_only(sql: str) -> None:
    """Refuse what is not one query.

    Dremio runs one statement a job and tells what it is by its first word, so the text has to begin like a query; what
    hides in one is found by parsing it.

    Raises:
        ApiError: 400; says what it is instead.
    """
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    if len(sql) > MOST_CHARACTERS:
        raise ApiError(400, f"sql has {len(sql)} characters; {MOST_CHARACTERS} are allowed")
    explained = _EXPLAIN.match(sql)
    query = sql[explained.end() :] if explained else sql
    if not _BEGINS.match(query):
        raise ApiError(400, "only SELECT, WITH and EXPLAIN PLAN FOR are answered; this API only reads")
    try:
        found = parse(query, dialect="dremio")
    except SqlglotError as error:
        raise ApiError(400, f"sql cannot be parsed: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ApiError(400, "sql is nested too deeply") from None
    statements = [tree for tree in found if tree and not isinstance(tree, exp.Semicolon)]
    if len(statements) != 1:
        raise ApiError(400, f"sql holds {len(statements)} statements; one is answered")
    (tree,) = statements
    if not isinstance(tree, exp.Query):
        raise ApiError(400, f"sql is no query but {type(tree).__name__.upper()}; this API only reads")
    for node in tree.walk():
        if isinstance(node, exp.DML | exp.DDL | exp.Command | exp.Into | exp.Lock):
            raise ApiError(400, f"sql holds {type(node).__name__.upper()}; this API only reads")
        if isinstance(node, exp.Anonymous) and node.name.upper() in _RUN_ELSEWHERE:
            raise ApiError(400, f"{node.name} is not answered: it may write in another database")
