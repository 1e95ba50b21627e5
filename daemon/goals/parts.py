"""The parts that a sentence is made of. Each says one thing; none says it by its place, so clauses may stand in any order."""

from __future__ import annotations

from typing import Literal, NamedTuple

from daemon.goals.checks import Code
from daemon.goals.metrics import Metric
from daemon.goals.objective import Cost, Period
from streams.contracts.slices import Condition

Side = Literal["floor", "ceiling", "natural"]
"""`natural` is the side on which the metric is worse: precision at 95 % is a floor, an error rate at 5 % a ceiling."""

Verb = Literal["hold", "improve", "up", "down", "reach"]
Way = Literal["up", "down", "better", "worse"]
Unit = Literal["", "%", "relative", "points", "ms", "own"]
"""`relative` is per cent of what it is now, where that is said; `own` is what a regression's target is counted in."""


class Quantity(NamedTuple):
    """A number and what stood behind it."""

    value: float
    unit: Unit


class Trouble(NamedTuple):
    """A part that was recognised and makes no goal."""

    code: Code
    text: str


class MetricPart(NamedTuple):
    """Which metric; `is_described` where it isn't named, so that what may become of a request is part of its description."""

    metric: Metric
    is_described: bool = False


class BoundPart(NamedTuple):
    """What the metric must reach.

    `side` is what it says as it stands, `denied` what it says when the sentence denies it (`don't let … fall below`); None where
    that makes no goal. `wished` takes the place of `side` in a sentence that wishes: `should … be above`. With `upper` it is a
    range. `is_up_to` marks `up to`, which is a floor behind verbs like `get`; `is_bare` a number with no comparison: behind
    `increase` it may be where to, or by how much; `is_told` one that may be a fact: `recall is 80 %`;
    `is_restated` one that says the number before again: `0.8 (80 %)`.
    """

    quantity: Quantity
    side: Side | None
    denied: Side | None = None
    wished: Side | None = None
    upper: Quantity | None = None
    is_up_to: bool = False
    is_bare: bool = False
    is_told: bool = False
    is_restated: bool = False


class ChangePart(NamedTuple):
    """How far the metric must move at least, or may at most. `way` is where to, None where verbs say it.

    With `needs_denial` it is only a goal when the sentence denies it: `must not … by more than`.
    """

    quantity: Quantity
    limit: Literal["least", "most"]
    way: Way | None = None
    needs_denial: bool = False


class MovePart(NamedTuple):
    """A movement whose size stands apart: `a drop in recall of at most 2 points`."""

    way: Way


class SidePart(NamedTuple):
    """A side that stands apart from its number: `a minimum precision of 95 %`."""

    side: Side


class DenialPart(NamedTuple):
    """`Don't let`: denies the bound or change that follows, or the one before: `… is unacceptable`."""

    is_behind: bool = False


class VerbPart(NamedTuple):
    """What is to be done with the metric; with `is_past` it may be done already, where nothing else says that it is wanted."""

    verb: Verb
    is_past: bool = False


class WishPart(NamedTuple):
    """Words that say that something is to be, and not that it is: `must`, `we need`."""


class QuestionPart(NamedTuple):
    """The beginning of a question, by its first word."""

    word: str


class TargetPart(NamedTuple):
    """What is to be predicted; no columns where that wasn't said."""

    columns: tuple[str, ...]


class NamedPart(NamedTuple):
    """The name of what can be predicted, apart from the verb: `whether premium customers churn`."""

    column: str
    said: str


class CohortPart(NamedTuple):
    """Which requests. `is_added` where it was joined with `and` to what stands before; `is_scope` where it began with `for`."""

    conditions: tuple[Condition, ...]
    is_added: bool = False
    is_scope: bool = False


class HorizonPart(NamedTuple):
    """For which days, or how far ahead: the length as people say it, and the days it is from today on, None of hours."""

    period: Period | None
    span: str | None = None


class OverPart(NamedTuple):
    """What stretch of time a value is counted over; `is_rate` where the same words may say how often: `each month`."""

    span: str
    is_rate: bool = False


class CostPart(NamedTuple):
    """What it may cost.

    `is_said` where a word says that it is spent, so that it can be nothing else; `is_in_all` where one says that it is in all.
    """

    cost: Cost
    is_said: bool = True
    is_in_all: bool = False


class AlsoPart(NamedTuple):
    """`Also` and `too`: they say nothing, unless they add one cohort to another."""


class NothingPart(NamedTuple):
    """Words that only hold a sentence together."""


class AsidePart(NamedTuple):
    """Words that nobody declared and that aren't of the goal, who speaks for instance; with `is_wish` they ask for it."""

    is_wish: bool = False


Part = (
    Trouble | MetricPart | BoundPart | ChangePart | MovePart | SidePart | DenialPart | VerbPart | WishPart | QuestionPart
    | TargetPart | NamedPart | CohortPart | HorizonPart | OverPart | CostPart | AlsoPart | NothingPart | AsidePart
)  # fmt: skip
