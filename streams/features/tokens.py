"""Text to tokens, for formulas and for windows; an error says where (positions count characters from 1)."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from streams.contracts.errors import ContractError

MAX_LENGTH = 500

_SPACE = " \t"
_TOKEN = re.compile(
    r"(?P<duration>\d+(?:ms|s|m|h|d)(?![A-Za-z0-9_]))"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r'|(?P<string>"[^"\\]*(?:\\["\\][^"\\]*)*")'
    r"|(?P<sign><=|>=|==|!=|[-+*/<>(),.])",
    re.ASCII,
)


class Token(NamedTuple):
    """A piece of a text: its kind (`duration`, `number`, `name`, `string`, `sign` or `end`), itself, and where it begins."""

    kind: str
    text: str
    at: int


class Tokens:
    """The tokens of a text, looked at one by one.

    Args:
        text: what was written.
        what: what it should be, for errors.

    Raises:
        ContractError: it is too long, or a character means nothing.
    """

    def __init__(self, text: str, what: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ContractError(f"{what}: {len(text)} characters, at most {MAX_LENGTH} are allowed")
        self._what = what
        self._text = text
        self._tokens = self._read(text)
        self._next = 0

    @property
    def peek(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._next]

    def take(self, *texts: str) -> Token:
        """Go on behind the next token; it must be one of these texts, if any are given."""
        token = self.peek
        if texts and token.text not in texts:
            self.refuse(token, f"expected {' or '.join(map(repr, texts))}, got {_shown(token)}")
        self._next += token.kind != "end"
        return token

    def take_kind(self, kind: str, wanted: str) -> Token:
        """Go on behind the next token; it must be of this kind, which people call `wanted`."""
        if self.peek.kind != kind:
            self.refuse(self.peek, f"expected {wanted}, got {_shown(self.peek)}")
        return self.take()

    def take_if(self, *texts: str) -> bool:
        """Go on behind the next token if it is one of these, and say whether it was."""
        is_there = self.peek.kind != "string" and self.peek.text in texts
        if is_there:
            self.take()
        return is_there

    def rest(self) -> str:
        """Take everything that is left, as text."""
        begin, self._next = self.peek.at, len(self._tokens) - 1
        return self._text[begin:].strip(_SPACE)

    def refuse(self, token: Token, why: str) -> NoReturn:
        """Raise an error that says where."""
        raise ContractError(f"{self._what}, position {token.at + 1}: {why}")

    def _read(self, text: str) -> list[Token]:
        found: list[Token] = []
        at, end = 0, len(text.rstrip(_SPACE))
        while at < end:
            at += len(text[at:]) - len(text[at:].lstrip(_SPACE))
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                self.refuse(Token("", text[at], at), f"{text[at]!r} means nothing here")
            found.append(Token(match.lastgroup, match[match.lastgroup], at))
            at = match.end()
        return [*found, Token("end", "", len(text))]


def _shown(token: Token) -> str:
    return "the end" if token.kind == "end" else repr(token.text)
