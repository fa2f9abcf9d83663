"""A cursor over tokens for the statements that have no sqlglot grammar."""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from lakehouse.embedded.dremio.sql.grammar import tokenize
from lakehouse.embedded.dremio.sql.model import Path, SqlError


class Reader:
    """Reads words, paths and parenthesised lists; every surprise is a SqlError that quotes the place."""

    def __init__(self, text: str) -> None:
        self.text = text
        # sqlglot's tokenizer swallows the rest of a SHOW or EXPLAIN whole, unless a word stands before it.
        self._source = f"_ {text}"
        self._tokens = [word for token in tokenize(self._source)[1:] for word in _words(token)]
        self._position = 0

    @property
    def done(self) -> bool:
        """No token is left."""
        return self._position >= len(self._tokens)

    def peek(self, ahead: int = 0) -> str:
        """The upper-case text of a coming token, empty at the end."""
        index = self._position + ahead
        return self._tokens[index].text.upper() if index < len(self._tokens) else ""

    def take(self) -> str:
        """The next token's text as written."""
        if self.done:
            raise SqlError(f"the statement ends too early: {self.text[-40:]!r}")
        token = self._tokens[self._position]
        self._position += 1
        return token.text

    def accept(self, *words: str) -> bool:
        """Take these words if they come next."""
        if all(self.peek(index) == word for index, word in enumerate(words)):
            self._position += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Take these words. Raises SqlError when something else comes."""
        if not self.accept(*words):
            raise SqlError(f"expected {' '.join(words)} {self.place()}")

    def path(self) -> Path:
        """A dotted path of identifiers."""
        parts = [self._identifier()]
        while self.accept("."):
            parts.append(self._identifier())
        return tuple(parts)

    def identifiers(self) -> tuple[str, ...]:
        """`(a, "b", c)`."""
        self.expect("(")
        names = [self._identifier()]
        while self.accept(","):
            names.append(self._identifier())
        self.expect(")")
        return tuple(names)

    def skip_parentheses(self) -> None:
        """Take a whole parenthesised group."""
        self.expect("(")
        depth = 1
        while depth:
            depth += {"(": 1, ")": -1}.get(self.take(), 0)

    def rest(self) -> str:
        """The text from the next token on."""
        if self.done:
            raise SqlError(f"the statement ends too early: {self.text[-40:]!r}")
        return self._source[self._tokens[self._position].start :]

    def until(self, *stops: str) -> str:
        """Text up to a stop word outside parentheses, which is not taken."""
        start, depth = self._position, 0
        while not self.done and not (depth == 0 and self.peek() in stops):
            depth += {"(": 1, ")": -1}.get(self.take(), 0)
        if start == self._position:
            raise SqlError(f"expected an expression {self.place()}")
        return self._source[self._tokens[start].start : self._tokens[self._position - 1].end + 1]

    def end(self) -> None:
        """Nothing may follow."""
        if not self.done:
            raise SqlError(f"unexpected {self.place()}")

    def place(self) -> str:
        """Where the reader stands, for messages."""
        if self.done:
            return "at the end of the statement"
        token = self._tokens[self._position]
        return f"{token.text!r} at line {token.line}, column {token.col}"

    def _identifier(self) -> str:
        if self.done or self._tokens[self._position].token_type in (TokenType.STRING, TokenType.NUMBER):
            raise SqlError(f"expected a name {self.place()}")
        return self.take()


def _words(token: Token) -> list[Token]:
    """sqlglot joins some keywords (`PARTITION BY`); grammar here is word by word."""
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING) or " " not in token.text.strip():
        return [token]
    return [
        Token(TokenType.VAR, word, token.line, token.col, token.start, token.end, [])
        for word in token.text.split()
    ]
