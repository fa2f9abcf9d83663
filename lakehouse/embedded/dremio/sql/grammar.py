"""Text to tokens to trees: sqlglot's Dremio grammar, with the functions we map ourselves kept opaque.

sqlglot maps many Dremio functions on canonical nodes whose meaning differs (a dropped format, swapped
arguments). Its parser is compiled and cannot be subclassed, so a call of such a function is renamed in the
token stream: it then stays an `exp.Anonymous` that `functions.py` translates.
"""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.dialects.dremio import Dremio
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from lakehouse.embedded.dremio.sql.functions import FUNCTIONS
from lakehouse.embedded.dremio.sql.model import SqlError

OWN = "__D_"
"""Prefix of a renamed function call."""


class _NullsHigh(Dremio):
    """Dremio validates with Calcite's defaults, where NULL sorts as the highest value; sqlglot has it always last."""

    NULL_ORDERING = "nulls_are_large"


_DIALECT = _NullsHigh()
_LEADING_COMMENT = re.compile(r"\s*/\*(.*?)\*/\s*", re.DOTALL)


def split_comment(text: str) -> tuple[str, str]:
    """The leading block comment (dbt's query comment) and the statement without it and without `;`."""
    match = _LEADING_COMMENT.match(text)
    comment, rest = (match[1].strip(), text[match.end() :]) if match else ("", text)
    return comment, rest.strip().rstrip(";").rstrip()


def tokenize(text: str) -> list[Token]:
    """Tokens of one statement. Raises SqlError on text that is no SQL, and on several statements."""
    try:
        tokens = _DIALECT.tokenize(text)
    except TokenError as error:
        raise SqlError(f"cannot read the statement: {_first_line(error)}") from None
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise SqlError("several statements in one request; send them one by one")
    return tokens


def parse_query(text: str) -> exp.Expression:
    """The tree of a SELECT, VALUES, set operation or DML statement. Raises SqlError with line and column."""
    return _parse_tokens(_own_functions(tokenize(text)), text)


def is_unit(column: exp.Column) -> bool:
    """Whether a column node is really the unit of TIMESTAMPADD(DAY, ...), which reads like one."""
    call = column.parent
    takes_unit = isinstance(call, exp.Anonymous) and call.name in (
        f"{OWN}TIMESTAMPADD",
        f"{OWN}TIMESTAMPDIFF",
    )
    return takes_unit and column.arg_key == "expressions" and column.index == 0


def _parse_tokens(tokens: list[Token], text: str) -> exp.Expression:
    try:
        trees = _DIALECT.parser().parse(tokens, text)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        place = f"line {first.get('line')}, column {first.get('col')}"
        raise SqlError(f"syntax error at {place}: {first.get('description') or _first_line(error)}") from None
    tree = trees[0] if trees else None
    if tree is None or isinstance(tree, exp.Command):
        raise SqlError(f"{text.split(None, 1)[0].upper()} is not supported by the local engine")
    return tree


def _own_functions(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1].token_type if index + 1 < len(tokens) else None
        name = token.text.upper()
        is_call = following == TokenType.L_PAREN and name in FUNCTIONS and not _is_special_form(tokens, index)
        if is_call and not _names_relation(tokens, index):
            result.append(_copy(token, TokenType.VAR, OWN + name))
        elif token.token_type == TokenType.IDENTIFIER:
            result.append(token)
        elif name == "MINUS" and token.token_type == TokenType.VAR and _starts_query(following):
            result.append(_copy(token, TokenType.EXCEPT, "EXCEPT"))
        else:
            result.append(token)
    return result


def _names_relation(tokens: list[Token], index: int) -> bool:
    """`AS week (a, b)` and `INTO week (a, b)` name a relation and its columns; `"LEFT"(a, 1)` is a call."""
    before = tokens[index - 1].token_type if index else None
    return before in (
        TokenType.ALIAS, TokenType.INTO, TokenType.WITH, TokenType.R_PAREN, TokenType.IDENTIFIER, TokenType.VAR,
    )  # fmt: skip


def _is_special_form(tokens: list[Token], index: int) -> bool:
    """POSITION(a IN b), SUBSTRING(a FROM 1), TRIM(BOTH ..), EXTRACT(x FROM y) keep sqlglot's own grammar."""
    name = tokens[index].text.upper()
    if index and tokens[index - 1].token_type == TokenType.DOT:
        return True
    if name not in ("POSITION", "SUBSTRING", "TRIM", "LEFT", "RIGHT", "REPLACE", "IF"):
        return False
    depth = 0
    for token in tokens[index + 1 :]:
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
            if depth == 0:
                return False
        elif (depth == 1 and token.token_type in (TokenType.IN, TokenType.FROM, TokenType.FOR)) or (
            depth == 1 and name == "TRIM" and token.text.upper() in ("BOTH", "LEADING", "TRAILING")
        ):
            return True
    return False


def _starts_query(token_type: TokenType | None) -> bool:
    return token_type in (TokenType.SELECT, TokenType.L_PAREN, TokenType.WITH, TokenType.VALUES)


def _copy(token: Token, token_type: TokenType, text: str) -> Token:
    return Token(token_type, text, token.line, token.col, token.start, token.end, [])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
