"""To what a part belongs that stands right behind another: where that could be either, the sentence isn't compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from daemon.goals.parts import ChangePart, CohortPart, CostPart, NothingPart, OverPart, Part, Trouble
from daemon.goals.patterns import forms
from daemon.goals.reading import Reading
from daemon.goals.words import CURRENCIES

_OF_REQUESTS: Final = frozenset({
    "with", "that", "which", "who", "on", "at", "within", "have", "has", *forms("spend", "pay", "use", "cost"),
})  # fmt: skip
"""Words that may go on saying which requests are meant."""

_RATE = Trouble("ambiguous_time", "is that how fast, or over what a value is counted? Say how far, and by when")
_OFTEN = Trouble("ambiguous_time", "is it spent so often, or is a value counted over that? Say `per month` right behind the cost")
_SPENT_ON = Trouble("ambiguous_cohort", "is it spent on these requests, or is the goal for them? Say the cohort first")
_THEM: Final = frozenset({"them", "these", "those"})
_WHO = Trouble("ambiguous_cohort", "for whom? Say the cohort")
_WORTH = Trouble(
    "ambiguous_cohort",
    "is it what these requests cost, or what the goal may? Say `spend`, with a comma before it, for a goal's cost",
)


def unsure(reading: Reading, at: int, before: Sequence[Part], part: Part) -> Trouble | None:
    """Object to a part that may belong to the one before it.

    Args:
        reading: the sentence.
        at: where the part begins.
        before: the parts before it.
        part: the part.
    """
    last = before[-1] if before else None
    if isinstance(part, OverPart) and isinstance(last, ChangePart) and part.is_rate:
        return _RATE
    said = [one for one in before if not isinstance(one, NothingPart)]
    if _is_how_often(said[-1] if said else None, part):
        return _OFTEN
    if isinstance(part, CohortPart) and isinstance(last, CostPart) and reading.is_one_of(at, {"on"}):
        return _SPENT_ON
    is_of_them = isinstance(part, NothingPart) and reading.is_one_of(at, {"for"}) and reading.is_one_of(at + 1, _THEM)
    if is_of_them and not any(isinstance(one, CohortPart) for one in before):
        return _WHO
    if isinstance(part, CostPart) and part.cost.money is not None and part.cost.per != "retraining":
        return _of_requests(reading, at, before, part)
    return None


def _is_how_often(last: Part | None, part: Part) -> bool:
    """Whether a cost stands beside a stretch of time that may be how often it is spent: `every month, at most 50 euros`."""
    over, cost = (part, last) if isinstance(part, OverPart) else (last, part)
    if not isinstance(over, OverPart) or not isinstance(cost, CostPart):
        return False
    return over.is_rate and cost.cost.per is None and not cost.is_in_all


def _of_requests(reading: Reading, at: int, before: Sequence[Part], cost: CostPart) -> Trouble | None:
    """Object to a cost right behind a cohort: `customers that spend at most 20 euros` isn't what the goal may cost."""
    behind = before[:-1] if reading.is_one_of(at - 1, {"that"}) else before
    worth = _words_of_money(reading)
    if not cost.is_said and worth:
        behind = [one for one in before if not isinstance(one, NothingPart)]
    if not behind or not isinstance(behind[-1], CohortPart):
        return None
    noun = reading.token(at - 1)
    is_worth = reading.is_one_of(at, {"for"}) and noun is not None and noun.text.removesuffix("s") in worth
    is_apart = cost.cost.per is not None and reading.is_one_of(at - 1, {","}) and reading.is_one_of(at, {"at", "for"})
    is_of_goal = is_apart or (cost.is_said and not reading.is_one_of(at, _OF_REQUESTS) and not is_worth)
    return None if is_of_goal else _WORTH


def _words_of_money(reading: Reading) -> set[str]:
    """Return the words of columns that count money: `orders for less than 100 euros` are worth less."""
    columns = [column for column in reading.vocabulary.schema.columns if column.unit in CURRENCIES.values()]
    return {word for column in columns for word in column.name.casefold().split("_")}
