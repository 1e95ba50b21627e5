"""The small expression language: text to a checked tree. No Python is ever evaluated.

A formula computes one number per row, in float32, from numeric columns, window names and parts of the event time:

- numbers (`2`, `0.5`, `1e-3`), names, `+ - * /`, unary minus, parentheses;
- comparisons `< <= > >= == !=`, which give 1 or 0 and don't chain;
- `log1p(x)` (computed as log(1 + x)), `abs(x)`, `sqrt(x)`, `min(x, y)`, `max(x, y)`, `clip(x, low, high)`;
- `is_missing(x)` (1 or 0) and `if_missing(x, y)` (x, or y where x is missing);
- `hour(time)` (0 to 23) and `weekday(time)` (Monday is 0), both in UTC.

One rule holds everywhere: what has no finite value is missing (NaN). Anything of a missing value is missing, except
under `is_missing` and `if_missing`; so are a division by zero, the root or logarithm of what has none, and an overflow.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from streams.contracts.errors import ContractError

MAX_LENGTH = 500
MAX_DEPTH = 20
FLOAT32_MAX = 3.4028234663852886e38

FUNCTIONS = {"log1p": 1, "abs": 1, "sqrt": 1, "min": 2, "max": 2, "clip": 3, "is_missing": 1, "if_missing": 2}
TIME_FUNCTIONS = ("hour", "weekday")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")

_POWER = {**dict.fromkeys(COMPARISONS, 1), "+": 2, "-": 2, "*": 3, "/": 3}
_UNARY_POWER = 4
_TOKEN = re.compile(
    r"[ \t]*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|==|!=|[-+*/<>(),]))",
    re.ASCII,
)


class Number(msgspec.Struct, frozen=True):
    """A constant."""

    value: float


class Name(msgspec.Struct, frozen=True):
    """A numeric column or a window."""

    name: str


class TimePart(msgspec.Struct, frozen=True):
    """A part of the row's event time: one of `TIME_FUNCTIONS`."""

    part: str


class Call(msgspec.Struct, frozen=True):
    """A function or operator (`neg`, `+`, `<`, ...) of other trees."""

    function: str
    arguments: tuple[Tree, ...]


Tree = Number | Name | TimePart | Call


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str, names: Collection[str]) -> Tree:
    """Parse a formula over `names` (numeric columns and windows).

    Raises:
        ContractError: the text isn't a formula, reads an unknown name, or is too long or too deep; it says where
            (positions count characters from 1).
    """
    if len(text) > MAX_LENGTH:
        raise ContractError(f"expression: {len(text)} characters, at most {MAX_LENGTH} are allowed")
    return _Parser(text, names).whole()


def names_in(tree: Tree) -> set[str]:
    """Return the columns and windows that a tree reads."""
    if isinstance(tree, Name):
        return {tree.name}
    if isinstance(tree, Call):
        return set[str]().union(*(names_in(argument) for argument in tree.arguments))
    return set()


def reads_time(tree: Tree) -> bool:
    """Say whether a tree reads the event time."""
    if isinstance(tree, Call):
        return any(reads_time(argument) for argument in tree.arguments)
    return isinstance(tree, TimePart)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text.rstrip(" \t")):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip(" \t"))
            raise ContractError(f"expression, position {at + 1}: {text[at]!r} means nothing here")
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Parser:
    """Precedence climbing over the tokens of one formula (V. Pratt, Top Down Operator Precedence, 1973)."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._tokens = _tokens(text)
        self._names = names
        self._next = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._expression(0)
        if self._peek.kind != "end":
            raise self._error(self._peek, f"expected an operator or the end, got {self._peek.text!r}")
        return tree

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, sign: str | None = None) -> _Token:
        token = self._peek
        if sign is not None and token.text != sign:
            raise self._error(
                token, f"expected {sign!r}, got {token.text!r}" if token.text else f"expected {sign!r}, but the text ends"
            )
        self._next += 1
        return token

    def _error(self, token: _Token, why: str) -> ContractError:
        return ContractError(f"expression, position {token.at + 1}: {why}")

    def _expression(self, power: int) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(self._peek, f"nested deeper than {MAX_DEPTH}")
        left, height = self._operand(), 0
        while (strength := _POWER.get(self._peek.text, 0)) > power:
            sign, height = self._take(), height + 1
            if self._depth + height > MAX_DEPTH:
                raise self._error(sign, f"nested deeper than {MAX_DEPTH}: use fewer operators in a row")
            left = Call(sign.text, (left, self._expression(strength)))
            if strength == 1 and self._peek.text in COMPARISONS:
                raise self._error(self._peek, "comparisons don't chain: use parentheses")
        self._depth -= 1
        return left

    def _operand(self) -> Tree:
        token = self._peek
        if token.kind == "number":
            return self._number(self._take())
        if token.kind == "name":
            return self._named(self._take())
        if token.text == "-":
            self._take()
            return Call("neg", (self._expression(_UNARY_POWER - 1),))
        if token.text == "(":
            self._take()
            inner = self._expression(0)
            self._take(")")
            return inner
        raise self._error(token, f"expected a value, got {token.text!r}" if token.text else "expected a value, but the text ends")

    def _number(self, token: _Token) -> Number:
        value = float(token.text)
        if value > FLOAT32_MAX:
            raise self._error(token, f"{token.text} is too large for float32")
        return Number(value)

    def _named(self, token: _Token) -> Tree:
        if self._peek.text == "(":
            return self._call(token)
        if token.text not in self._names:
            raise self._error(token, f"no numeric column or window {token.text!r}")
        return Name(token.text)

    def _call(self, token: _Token) -> Tree:
        self._take("(")
        if token.text in TIME_FUNCTIONS:
            self._take("time")
            self._take(")")
            return TimePart(token.text)
        if token.text not in FUNCTIONS:
            raise self._error(token, f"no function {token.text!r}; there are {', '.join((*FUNCTIONS, *TIME_FUNCTIONS))}")
        arguments = [self._expression(0)]
        while self._peek.text == ",":
            self._take()
            arguments.append(self._expression(0))
        self._take(")")
        if len(arguments) != FUNCTIONS[token.text]:
            raise self._error(token, f"{token.text} takes {FUNCTIONS[token.text]} values, got {len(arguments)}")
        return Call(token.text, tuple(arguments))
