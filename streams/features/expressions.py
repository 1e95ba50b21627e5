"""Formulas: text to a checked tree.

A formula computes one number per row from its columns, windows and event time:

- numbers (`2`, `0.5`, `1e-3`), names, `+ - * /`, unary minus, parentheses;
- comparisons `< <= > >= == !=`, which are true (1) or false (0) and don't chain; `and`, `or`, `not` of truths;
- `colour == "red"`, `colour != "red"`, `colour in ("red", "blue")`, `colour not in (...)`: categories can only be compared;
- `log(x)`, `log1p(x)` (computed as log(1 + x)), `abs(x)`, `sqrt(x)`, `min(x, y)`, `max(x, y)`, `clip(x, low, high)`;
- `bucket(x, 10, 100, ...)`: how many of these ascending numbers `x` reaches;
- `is_missing(x)` (1 or 0, also of a category) and `if_missing(x, y)` (x, or y where x is missing);
- `hour(time)` (0 to 23), `weekday(time)` (Monday is 0), `day(time)` (of the month, from 1) and `month(time)` (from 1), in UTC.

One rule holds everywhere: what has no finite value is missing. Anything of a missing value is missing, except
under `is_missing` and `if_missing`; so are a division by zero, the root or logarithm of what has none, and an overflow.
Where columns have units (`streams.features.units`), only what is of one unit is added or compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from streams.contracts.errors import ContractError
from streams.contracts.schema import Kind
from streams.features.tokens import Token, Tokens
from streams.features.tree import (
    ALIKE,
    COMPARISONS,
    FUNCTIONS,
    TIME_FUNCTIONS,
    Call,
    Member,
    Name,
    Number,
    TimePart,
    Tree,
    is_truth,
)
from streams.features.units import Unit, unit_of, unit_text

MAX_DEPTH = 20
FLOAT32_MAX = 3.4028234663852886e38
_TIME_PARTS: Mapping[str, TimePart] = {part: TimePart(part) for part in TIME_FUNCTIONS}
NO_UNITS: Mapping[str, Unit] = {}

_POWER = {"or": 1, "and": 2, **dict.fromkeys((*COMPARISONS, "in", "not"), 4), "+": 5, "-": 5, "*": 6, "/": 6}
_NOT_POWER, _COMPARISON_POWER, _UNARY_POWER = 3, 4, 7
_WORDS = {"and", "or", "not", "in", "time"}


def parse(text: str, kinds: Mapping[str, Kind], units: Mapping[str, Unit] = NO_UNITS, what: str = "expression") -> Tree:
    """Parse a formula that gives a number or a truth.

    Args:
        text: the formula.
        kinds: of the columns and windows that it may read.
        units: of those that have one.
        what: it is, for errors.

    Raises:
        ContractError: the text isn't a formula, reads an unknown name, mixes kinds or units up, or is too long or too deep; it
            says where.
    """
    return _Parser(Tokens(text, what), kinds, units).whole()


def parse_filter(text: str, kinds: Mapping[str, Kind], units: Mapping[str, Unit] = NO_UNITS) -> Tree:
    """Parse a formula that is true or false.

    Raises:
        ContractError: as for `parse`, or it gives a number.
    """
    tree = parse(text, kinds, units, "filter")
    if not is_truth(tree):
        raise ContractError(f"filter: {text!r} is a number, not true or false; compare it with something")
    return tree


class _Parser:
    """Precedence climbing over the tokens of one formula (V. Pratt, Top Down Operator Precedence, 1973)."""

    def __init__(self, tokens: Tokens, kinds: Mapping[str, Kind], units: Mapping[str, Unit]) -> None:
        self._tokens = tokens
        self._kinds = kinds
        self._units = units
        self._depth = 0

    def whole(self) -> Tree:
        begin = self._tokens.peek
        tree = self._value(begin, self._expression(0))
        if self._tokens.peek.kind != "end":
            self._tokens.refuse(self._tokens.peek, f"expected an operator or the end, got {self._tokens.peek.text!r}")
        return tree

    def _expression(self, power: int) -> Tree:
        """Read operators that bind stronger than `power`. A lone category is left for the caller to refuse or use."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._tokens.refuse(self._tokens.peek, f"nested deeper than {MAX_DEPTH}")
        begin = self._tokens.peek
        left, height = self._operand(), 0
        while (strength := self._strength()) > power:
            sign, height = self._tokens.take(), height + 1
            if self._depth + height > MAX_DEPTH:
                self._tokens.refuse(sign, f"nested deeper than {MAX_DEPTH}: use fewer operators in a row")
            left = self._operation(begin, left, sign, strength)
            if strength == _COMPARISON_POWER and self._strength() == _COMPARISON_POWER:
                self._tokens.refuse(self._tokens.peek, "comparisons don't chain: use parentheses")
        self._depth -= 1
        return left

    def _strength(self) -> int:
        token = self._tokens.peek
        return 0 if token.kind == "string" else _POWER.get(token.text, 0)

    def _operation(self, begin: Token, left: Tree, sign: Token, strength: int) -> Tree:
        if sign.text in {"in", "not"}:
            if sign.text == "not":
                self._tokens.take("in")
            member = self._member(begin, left)
            return Call("not", (member,)) if sign.text == "not" else member
        if isinstance(left, Name) and left.kind == "category":
            if sign.text not in {"==", "!="}:
                self._tokens.refuse(begin, f"{left.name!r} is a category: compare it by ==, != or in")
            same = Member(left.name, (self._string(),))
            return same if sign.text == "==" else Call("not", (same,))
        after = self._tokens.peek
        right = self._value(after, self._expression(strength))
        if sign.text in {"and", "or"}:
            self._truth(begin, left)
            self._truth(after, right)
        elif sign.text in ALIKE or strength == _COMPARISON_POWER:
            self._alike(sign, left, right)
        return Call(sign.text, (left, right))

    def _operand(self) -> Tree:
        token = self._tokens.peek
        if token.kind == "number":
            return self._number(self._tokens.take())
        if token.text == "-":
            self._tokens.take()
            after = self._tokens.peek
            return Call("neg", (self._value(after, self._expression(_UNARY_POWER)),))
        if token.text == "not":
            self._tokens.take()
            after = self._tokens.peek
            return Call("not", (self._truth(after, self._expression(_NOT_POWER)),))
        if token.text == "(":
            self._tokens.take()
            inner = self._expression(0)
            self._tokens.take(")")
            return inner
        if token.kind == "name" and token.text not in _WORDS:
            return self._named(self._tokens.take())
        if token.kind == "string":
            self._tokens.refuse(token, 'text can only be compared with a category, which comes first: colour == "red"')
        return self._tokens.refuse(
            token, f"expected a value, got {token.text!r}" if token.text else "expected a value, but the text ends"
        )

    def _value(self, begin: Token, tree: Tree) -> Tree:
        if isinstance(tree, Name) and tree.kind == "category":
            self._tokens.refuse(begin, f"{tree.name!r} is a category, a number is needed here: compare it by == or in")
        return tree

    def _truth(self, begin: Token, tree: Tree) -> Tree:
        if not is_truth(self._value(begin, tree)):
            self._tokens.refuse(begin, "this is a number, and true or false is needed here: compare it with something")
        return tree

    def _number(self, token: Token) -> Number:
        value = float(token.text)
        if value > FLOAT32_MAX:
            self._tokens.refuse(token, f"{token.text} is too large for float32")
        return Number(value)

    def _string(self) -> str:
        token = self._tokens.take_kind("string", "text in double quotes")
        text: str = token.text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if not text:
            self._tokens.refuse(token, "the empty text means missing: use is_missing")
        return text

    def _member(self, begin: Token, left: Tree) -> Member:
        if not (isinstance(left, Name) and left.kind == "category"):
            self._tokens.refuse(begin, "only a category can be in a set")
        self._tokens.take("(")
        values = [self._string()]
        while self._tokens.take_if(","):
            values.append(self._string())
        self._tokens.take(")")
        return Member(left.name, tuple(dict.fromkeys(values)))

    def _named(self, token: Token) -> Tree:
        if self._tokens.peek.text == "(":
            return self._call(token)
        if token.text not in self._kinds:
            self._tokens.refuse(token, f"no column or window {token.text!r}")
        return Name(token.text, self._kinds[token.text])

    def _call(self, token: Token) -> Tree:
        name = token.text
        self._tokens.take("(")
        if name in _TIME_PARTS:
            self._tokens.take("time")
            self._tokens.take(")")
            return _TIME_PARTS[name]
        if name not in {*FUNCTIONS, "is_missing", "bucket"}:
            known = ", ".join((*FUNCTIONS, "is_missing", "bucket", *TIME_FUNCTIONS))
            self._tokens.refuse(token, f"no function {name!r}; there are {known}")
        arguments = self._arguments(takes_category=name == "is_missing")
        if name == "bucket":
            return self._bucket(token, arguments)
        wanted = FUNCTIONS.get(name, 1)
        if len(arguments) != wanted:
            self._tokens.refuse(token, f"{name} takes {wanted} values, got {len(arguments)}")
        if name in ALIKE:
            self._alike(token, *arguments)
        return Call(name, tuple(arguments))

    def _alike(self, token: Token, *trees: Tree) -> None:
        """Refuse values of different units."""
        known = [unit for tree in trees if (unit := unit_of(tree, self._units)) is not None]
        for other in known[1:]:
            if other != known[0]:
                one, two = unit_text(known[0]), unit_text(other)
                self._tokens.refuse(token, f"{token.text!r} of {one} and of {two}: these are different units")

    def _arguments(self, *, takes_category: bool) -> list[Tree]:
        arguments: list[Tree] = []
        while not arguments or self._tokens.take_if(","):
            begin = self._tokens.peek
            value = self._expression(0)
            arguments.append(value if takes_category else self._value(begin, value))
        self._tokens.take(")")
        return arguments

    def _bucket(self, token: Token, arguments: list[Tree]) -> Tree:
        value, *edges = arguments
        limits = [limit for edge in edges if (limit := _constant(edge)) is not None]
        if not limits or len(limits) < len(edges) or any(low >= high for low, high in itertools.pairwise(limits)):
            self._tokens.refuse(token, "bucket takes a value and then ascending numbers: bucket(x, 10, 100)")
        return Call("bucket", (value, *map(Number, limits)))


def _constant(tree: Tree) -> float | None:
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Call) and tree.function == "neg" and isinstance(tree.arguments[0], Number):
        return -tree.arguments[0].value
    return None
