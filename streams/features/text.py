"""Windows as people write them: `mean(outcome.delay) by origin over 2h known 1h before where carrier == "AA"`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL, Aggregate, Source, Window
from streams.contracts.schema import OWN_FACTS
from streams.features.tokens import Token, Tokens
from streams.runtime.durations import Duration

_AGGREGATES: Mapping[str, Aggregate] = {name: name for name in get_args(Aggregate)}
_OF_FACTS = ("count", "since")


def parse_window(text: str) -> Window:
    """Read a window; `Window.text` writes what this reads.

    The parts: an aggregate of `requests`, `outcomes`, a registered source, a column, or `outcome.` or a source and a column; `by`
    key columns; `over` a range; `known` a delay `before`; `where` a filter of the facts. Only the aggregate and the range must be
    there.

    Raises:
        ContractError: it isn't a window; the text says where and why.
    """
    tokens = Tokens(text, "window")
    name = tokens.take_kind("name", "an aggregate")
    if name.text not in _AGGREGATES:
        tokens.refuse(name, f"no aggregate {name.text!r}; there are {', '.join(_AGGREGATES)}")
    source, column, back = _facts(tokens, name)
    by: list[str] = []
    if tokens.take_if("by"):
        by.append(tokens.take_kind("name", "a key column").text)
        while tokens.take_if(","):
            by.append(tokens.take_kind("name", "a key column").text)
    tokens.take("over")
    range_ms = _duration(tokens)
    delay_ms = 0
    if tokens.take_if("known"):
        delay_ms = _duration(tokens)
        tokens.take("before")
    where = None
    if tokens.take_if("where"):
        where = tokens.rest()
        if not where:
            tokens.refuse(tokens.peek, "expected a filter, for instance amount < 20")
    if tokens.peek.kind != "end":
        tokens.refuse(tokens.peek, f"expected by, over, known, where or the end, in this order, got {tokens.peek.text!r}")
    try:
        return Window(
            aggregate=_AGGREGATES[name.text],
            source=source,
            column=column,
            by=tuple(by),
            range_ms=range_ms,
            delay_ms=delay_ms,
            where=where,
            back=back,
        )
    except ContractError as error:
        raise ContractError(f"{error} (in {text!r})") from error


def is_window(text: str) -> bool:
    """Say whether a text is meant as a window, which has a range, rather than as a formula, which has none."""
    return re.search(r"\bover\s+\d+\s*[a-z]", text) is not None


def _facts(tokens: Tokens, aggregate: Token) -> tuple[Source, str | None, int]:
    tokens.take("(")
    name = tokens.take_kind("name", "requests, outcomes, a source, or a column")
    source, column = name.text, None
    if name.text == "outcome" or tokens.peek.text == ".":
        tokens.take(".")
        source = "outcomes" if name.text == "outcome" else name.text
        column = tokens.take_kind("name", f"{LABEL} or a column").text
    elif aggregate.text not in _OF_FACTS and name.text not in OWN_FACTS:
        source, column = "requests", name.text
    if (column is None) != (aggregate.text in _OF_FACTS):
        wanted = "requests, outcomes or a source" if aggregate.text in _OF_FACTS else "a column, or outcome.label"
        tokens.refuse(name, f"{aggregate.text} is of {wanted}, not of {name.text!r}")
    back = 1
    if aggregate.text == "lag":
        tokens.take(",")
        number = tokens.take_kind("number", "how many values back")
        if not number.text.isdigit():
            tokens.refuse(number, f"{number.text} isn't a whole number")
        back = int(number.text)
    tokens.take(")")
    return source, column, back


def _duration(tokens: Tokens) -> int:
    token = tokens.take_kind("duration", "a duration, for instance 90s, 2h or 7d")
    try:
        return Duration.of(token.text).ms
    except ValueError as error:
        tokens.refuse(token, str(error))
