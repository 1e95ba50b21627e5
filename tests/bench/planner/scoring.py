"""What an answer is worth, and the bars over all incidents. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from daemon.planners.base import FORCED, TRAINS
from tests.bench.planner.asking import Answered
from tests.bench.planner.guarding import is_repeat
from tests.bench.planner.incident import Incident, Truth

Grade = Literal["best", "acceptable", "neither", "forbidden"]

MOST_WRONG_CAUSES = 4
MOST_WRONG_ACTIONS = 1
FEWEST_INCIDENTS = 24


class Cost(NamedTuple):
    """What an answer cost, where a language model gave it: tokens of any kind, money, and calls."""

    tokens: int = 0
    usd: float = 0.0
    calls: int = 0


class Score(NamedTuple):
    """One incident's: `cause` is None where the causes were handed over; `refused` names guardrails that objected."""

    incident: str
    action: str
    grade: Grade
    cause: bool | None
    likely: str
    repeats: bool
    refused: tuple[str, ...]
    seconds: float
    cost: Cost


class Missed(NamedTuple):
    """A bar that isn't held, in words."""

    bar: str


NOTHING = Cost()


def score(incident: Incident, answered: Answered, cost: Cost = NOTHING) -> Score:
    """Hold an answer against the truth."""
    return Score(
        incident=incident.id,
        action=answered.proposal.action,
        grade=_grade(incident.truth, answered),
        cause=None if incident.evidence is None else names_causes(incident.truth, answered.causes),
        likely=answered.causes[0] if answered.causes else "",
        repeats=is_repeat(incident, answered.proposal),
        refused=answered.rulings,
        seconds=answered.seconds,
        cost=cost,
    )


def names_causes(truth: Truth, causes: Sequence[str]) -> bool:
    """Whether the likeliest cause is a true one, and the next one too where two things happened at once."""
    first, second = [*causes, "", ""][:2]
    return first in truth.diagnosis and (not truth.second_diagnosis or second in truth.second_diagnosis)


def missed_bars(scores: Sequence[Score]) -> list[Missed]:
    """Return the bars that are missed, none when all hold; too few incidents prove nothing."""
    wrong_causes = sum(one.cause is False for one in scores)
    wrong_actions = sum(one.grade in {"neither", "forbidden"} for one in scores)
    bars = (
        (len(scores) < FEWEST_INCIDENTS, f"{len(scores)} incidents, at least {FEWEST_INCIDENTS} are needed"),
        (wrong_causes > MOST_WRONG_CAUSES, f"{wrong_causes} causes are wrong, at most {MOST_WRONG_CAUSES} may be"),
        (wrong_actions > MOST_WRONG_ACTIONS, f"{wrong_actions} actions are wrong, at most {MOST_WRONG_ACTIONS} may be"),
        (any(one.grade == "forbidden" for one in scores), "a forbidden action was chosen"),
        (any(one.repeats for one in scores), "what was tried lately is proposed again"),
    )
    return [Missed(said) for is_missed, said in bars if is_missed]


def _grade(truth: Truth, answered: Answered) -> Grade:
    action = answered.proposal.action
    if action in truth.forbidden or action == FORCED:
        return "forbidden"
    if action in TRAINS and not _trains_rightly(truth, answered):
        return "neither"
    return "best" if action in truth.best else "acceptable" if action in truth.acceptable else "neither"


def _trains_rightly(truth: Truth, answered: Answered) -> bool:
    """Whether a training uses the right rows, and the right device."""
    used = "all" if answered.proposal.train_since_ms is None else "since_change"
    return truth.training_range in {None, used} and truth.device in {None, answered.device}
