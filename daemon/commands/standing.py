"""How a goal stands: what comparisons have measured of it, and what it is told from."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from daemon.commands.errors import BadInputError
from daemon.commands.screen import Screen, short, shown, when
from daemon.gates.base import Standing
from daemon.goals.in_force import baseline_of
from daemon.goals.metrics import METRICS
from daemon.goals.reached import COMPARES, Baseline, Measured, Where, measured_in
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Goal
from streams.contracts.bundle import Interval

MOST_SHOWN = 5
_LOOKED_AT = 200

_WHERE: dict[Where, str] = {
    "by_itself": "the champion by itself", "sealed": "on sealed rows", "shadow": "live, in shadow", "probation": "in probation",
}  # fmt: skip


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A goal's metric of one bundle: None where it wasn't measured, and whether that reaches the goal."""

    digest: str
    measured: Interval | None
    standing: Standing


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a goal, on `rows` rows, ended at `time_ms` (event time).

    Intervals are at `level`. `subject` is the incident, if it was for one. Of the champion by itself there is no challenger.
    `floor` and `ceiling` are what was held against; `reason` says why something wasn't measured.
    """

    time_ms: int
    where: Where
    subject: str
    rows: int
    level: float
    champion: Value
    challenger: Value | None
    floor: float | None
    ceiling: float | None
    reason: str


class Champion(msgspec.Struct, frozen=True, kw_only=True):
    """How the champion of now stands, as it was measured last, whether by itself or when it was compared."""

    time_ms: int
    where: Where
    rows: int
    level: float
    value: Value


class GoalStory(Goal, frozen=True, kw_only=True):
    """A goal with how it stands: the champion's last value, and the last comparisons, the newest first.

    `baseline` is where the champion stood at the approval, of a goal that is told from there. What nobody has measured is None,
    or empty.
    """

    champion: Champion | None = None
    baseline: Baseline | None = None
    comparisons: tuple[Comparison, ...] = ()


def goal_story(ledger: Ledger, goal: Goal) -> GoalStory:
    """Read how a goal stands."""
    model = goal.model or ""
    found = [
        one for step in ledger.finished(model, COMPARES, limit=_LOOKED_AT) for one in measured_in(step) if one.goal == goal.id
    ]
    is_told_from_it = goal.objective.get("change") is not None or goal.objective.get("aim") == "improve"
    baseline = None
    if is_told_from_it and goal.approved_ms is not None:
        baseline = baseline_of(ledger, model, goal.id, goal.approved_ms)
    return GoalStory(
        **msgspec.structs.asdict(goal),
        champion=next(_champions(found, _serving(ledger, model, found)), None),
        baseline=baseline,
        comparisons=tuple(_comparison(one) for one in found[:MOST_SHOWN]),
    )


def named(known: list[Goal], name: str) -> Goal:
    """Find a goal by its id, or by its whole digest; of the same goal proposed again the newest.

    Raises:
        BadInputError: there is none.
    """
    found = [goal for goal in known if name in {goal.id, goal.digest}]
    if not found:
        raise BadInputError("no goal of this id or digest; `/v1/goals` lists them")
    return found[-1]


def show_standing(story: GoalStory, screen: Screen) -> None:
    """Show how a goal stands."""
    screen.line(_acted_on(story))
    if story.state == "proposed":
        return
    if story.baseline is not None:
        told = story.baseline
        where = "by itself" if told.measured == "by_itself" else "in the first comparison"
        screen.line(
            f"told from {_interval(Interval(told.value, told.low, told.high))}, what {short(told.champion)} had {where} on "
            f"{told.rows} rows, {when(told.time_ms)}"
        )
    screen.title("How the champion stands")
    if story.champion is None:
        screen.line("not known: nobody has measured this of the champion of now")
    else:
        one = story.champion
        screen.line(
            f"{_said(one.value.standing)}: {_interval(one.value.measured)} on {one.rows} rows, {_WHERE[one.where]}, "
            f"{when(one.time_ms)}; intervals are {one.level * 100:.4g} %"
        )
    if story.comparisons:
        screen.title("Last comparisons")
        columns = ("event time", "where", "rows#", "who", "measured", "goal", "asked for", "why not")
        screen.table(columns, (row for one in story.comparisons for row in _rows(one)))
        if story.objective.get("over") is not None:
            screen.line(f"asked for over {story.objective['over']}; measured on the rows at hand")


def _acted_on(story: GoalStory) -> str:
    metric = METRICS.get(str(story.objective.get("metric")))
    if story.objective.get("aim") == "predict":
        return "A goal to predict is kept, shown and audited; nothing acts on it."
    if metric is not None and metric.counted == "ms":
        return "Comparisons measure no latency of answers: this goal is kept, shown and audited, and no challenger is asked it."
    if story.state == "retired":
        return "It is retired: no challenger is asked it any more."
    waits = " once it is approved" if story.state == "proposed" else ""
    return f"The gate `keeps_goals` asks every challenger for this{waits}, and the champion is measured by itself."


def _serving(ledger: Ledger, model: str, found: list[Measured]) -> str:
    """Return the champion of now; the first, which the ledger didn't deploy, is the one that was measured by itself."""
    deployed = ledger.deployments(model, "done")
    if deployed:
        return str(deployed[-1].payload.get("champion", ""))
    return next((one.champion for one in found if one.where == "by_itself"), "")


def _champions(found: list[Measured], serving: str) -> Iterator[Champion]:
    for one in found:
        value = one.of(serving)
        if serving and value is not None:
            told = Value(digest=serving, measured=value, standing=one.reached.standing(value))
            yield Champion(time_ms=one.time_ms, where=one.where, rows=one.reached.rows, level=one.reached.level, value=told)


def _comparison(one: Measured) -> Comparison:
    reached = one.reached
    champion, challenger = (
        Value(digest=digest, measured=measured, standing=reached.standing(measured))
        for digest, measured in ((one.champion, reached.champion), (one.challenger, reached.challenger))
    )
    return Comparison(
        time_ms=one.time_ms, where=one.where, subject=one.subject, rows=reached.rows, level=reached.level, champion=champion,
        challenger=None if one.where == "by_itself" else challenger, floor=reached.floor, ceiling=reached.ceiling,
        reason=reached.reason,
    )  # fmt: skip


def _rows(one: Comparison) -> Iterator[tuple[object, ...]]:
    for who, value in (("champion", one.champion), ("challenger", one.challenger)):
        if value is not None:
            yield (
                when(one.time_ms), _WHERE[one.where], one.rows, f"{who} {short(value.digest)}", _interval(value.measured),
                _said(value.standing), _bounds(one), one.reason,
            )  # fmt: skip


def _bounds(one: Comparison) -> str:
    ends = (("at least", one.floor), ("at most", one.ceiling))
    return " and ".join(f"{word} {shown(end)}" for word, end in ends if end is not None) or "-"


def _interval(measured: Interval | None) -> str:
    return "-" if measured is None else f"{measured.value:.4g} ({measured.low:.4g} … {measured.high:.4g})"


def _said(standing: Standing) -> str:
    return standing.replace("_", " ")
