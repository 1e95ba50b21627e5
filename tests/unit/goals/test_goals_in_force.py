"""Which goals a comparison is asked about, whatever stands in the ledger."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from daemon.errors import GoalRefusedError
from daemon.goals import keeping as keeping_
from daemon.goals.in_force import MOST_GOALS, Asked, InForce, argument_of
from daemon.goals.keeping import Keeping
from daemon.goals.objective import Objective, read, written
from daemon.goals.reached import Baseline, measured_in, subject_of
from daemon.goals.vocabulary import Vocabulary
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Goal
from daemon.places import Places
from skills import compare_models
from skills._kit.goals import Rows, Side, reached
from streams.contracts.records import Command
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.slices import Condition
from tests.kit.control import DAY, MODEL, START

SCHEMA = ModelSchema(columns=(Column(name="a", kind="number"), Column(name="b", kind="category")))
PLAIN: dict[str, Any] = {"model": MODEL, "aim": "hold", "metric": "precision", "direction": "higher", "floor": 0.9}
FIRST = (dt.date(1970, 1, 1) + dt.timedelta(days=15_000)).isoformat()  # the day of START
Keep = Callable[..., Goal]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def present(ledger: Ledger) -> InForce:
    return InForce(ledger, Places(MODEL, "/lake", Path("/registry"), DAY, schema=SCHEMA))


@pytest.fixture
def keep(ledger: Ledger) -> Keep:
    """Write an approved goal straight into the ledger, whatever it says."""

    def keep(objective: dict[str, Any] | None = None, time_ms: int = START, **changes: Any) -> Goal:
        number = len(ledger.commands(MODEL))
        commands = [
            Command(id=f"{kind}-{number}", kind=kind, model=MODEL, by=by)  # type: ignore[arg-type]
            for kind, by in (("propose_goal", "ann"), ("approve_goal", "bob"))
        ]
        for command in commands:
            ledger.take_command(command, time_ms)
        goal = ledger.propose_goal(commands[0], (PLAIN if objective is None else objective) | changes, "", time_ms)
        ledger.approve_goal(commands[1], goal, time_ms)
        return goal

    return keep


def taken(asked: tuple[Asked, ...]) -> compare_models.Input:
    """Decode what is asked as the skill will."""
    common = {"lake": "l", "registry": "r", "model": MODEL, "champion": "c", "challenger": "d", "sealed": "s"}
    return msgspec.json.decode(msgspec.json.encode(common | argument_of(asked)), type=compare_models.Input)


def test_a_goal_is_asked_as_it_was_written(present: InForce, keep: Keep):
    wanted = Objective(
        model=MODEL, aim="hold", metric="precision", direction="higher", floor=0.9, over="30 days",
        cohort=(Condition(column="a", low=1.0), Condition(column="b", values=("x", "y"))),
    )  # fmt: skip
    goal = keep(written(wanted))
    (asked,) = present.during(START, START + DAY)
    assert (asked.id, asked.digest, asked.metric, asked.floor, asked.over) == (
        goal.id,
        wanted.digest,
        "precision",
        0.9,
        "30 days",
    )
    (given,) = taken((asked,)).goals
    assert given.cohort == wanted.cohort
    assert (given.aim, given.floor, given.baseline, given.objection) == ("hold", 0.9, None, "")


def test_without_goals_the_question_is_as_ever(present: InForce):
    assert present.during(0, START) == ()
    assert argument_of(()) == {}


@pytest.mark.parametrize(
    ("first", "last", "is_asked"),
    [(-3, -1, []), (-3, 0, ["of its last day"]), (0, 0, ["that day"]), (9, 20, ["its first day"]), (10, 20, [])],
)
def test_only_goals_of_the_time_of_the_rows_are_asked(present: InForce, keep: Keep, first: int, last: int, is_asked: list[str]):
    days = [dt.date.fromisoformat(FIRST) + dt.timedelta(days=number) for number in (first, last)]
    goal = keep(horizon={"first": days[0].isoformat(), "last": days[1].isoformat()})
    found = present.during(START, START + 10 * DAY)
    assert len(found) == len(is_asked)
    for one in found:
        assert (one.id, one.since_ms, one.until_ms) == (goal.id, START + first * DAY, START + (last + 1) * DAY)


def test_what_isn_t_approved_or_is_a_prediction_or_another_model_s_isn_t_asked(present: InForce, keep: Keep, ledger: Ledger):
    keep({"model": MODEL, "aim": "predict", "target": "b"})
    goal = keep()
    ledger.take_command(Command(id="r", kind="retire_goal", model=MODEL, by="bob"), START)
    ledger.retire_goal(Command(id="r", kind="retire_goal", model=MODEL, by="bob"), goal, START)
    proposed = Command(id="p", kind="propose_goal", model=MODEL, by="ann")
    ledger.take_command(proposed, START)
    ledger.propose_goal(proposed, PLAIN, "", START)
    assert present.during(0, 2 * START) == ()
    assert InForce(ledger, Places("other", "/lake", Path("/registry"), DAY)).during(0, 2 * START) == ()


NESTED: Any = {}
for _ in range(200):
    NESTED = {"a": NESTED}
HOSTILE: list[dict[str, Any]] = [
    {}, {"aim": "hold"}, PLAIN | {"floor": "0.9"}, PLAIN | {"floor": []}, PLAIN | {"floor": True}, PLAIN | {"metric": 7},
    PLAIN | {"metric": "x" * 10_000}, PLAIN | {"metric": "rm -rf /"}, PLAIN | {"metric": "rmse"},
    PLAIN | {"metric": "latency_p99"},
    PLAIN | {"cohort": {"a": 7}}, PLAIN | {"cohort": "all"}, PLAIN | {"cohort": {"a": {"from": "x"}}}, PLAIN | {"cohort": NESTED},
    PLAIN | {"cohort": {"a": ["x"]}}, PLAIN | {"cohort": {"b": {"from": 1}}}, PLAIN | {"cohort": {"\x1b[2J": ["x"]}},
    PLAIN | {"cohort": {"a": {"from": 5, "below": 1}}}, PLAIN | {"cohort": {"b": []}}, PLAIN | {"cohort": {"gone": ["x"]}},
    PLAIN | {"floor": 10**400}, PLAIN | {"floor": -1e308, "ceiling": 1e308}, PLAIN | {"floor": 2.0, "ceiling": 1.0},
    PLAIN | {"change": {"by": -1, "of": "points"}}, PLAIN | {"change": {"by": 0, "of": "relative"}},
    PLAIN | {"change": {"by": 1e308, "of": "relative"}}, PLAIN | {"change": {"by": 1, "of": "magic"}},
    PLAIN | {"horizon": {"first": "0001-01-01", "last": "9999-12-31"}}, PLAIN | {"horizon": {"first": "x", "last": "y"}},
    PLAIN | {"horizon": "30 days"}, PLAIN | {"aim": "destroy"}, PLAIN | {"model": "other"}, PLAIN | {"over": 7},
    PLAIN | {"surprise": 1}, {**PLAIN, "floor": None}, {"model": MODEL, "aim": "improve"},
]  # fmt: skip


@pytest.mark.parametrize("objective", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_in_the_ledger_is_asked_about_and_breaks_nothing(present: InForce, keep: Keep, objective: dict[str, Any]):
    keep(objective)
    sound = keep()
    asked = present.compared(START, START + DAY)
    assert sound.id in {one.id for one in asked}
    given = taken(asked).goals
    assert len(given) == len(asked) == 2
    count, scores = 300, np.tile([0.2, 0.9], 150)
    table = pa.table({"time_ms": np.full(count, START), "label": np.tile([0.0, 1.0], 150), "a": scores, "b": ["x"] * count})
    found = reached(given, Rows(SCHEMA, table, Side("c", 0.5, scores), Side("d", 0.5, scores)), 0)
    assert [one.champion is not None for one in found if one.goal == sound.id] == [True]
    for one in found:
        assert one.champion is not None or one.reason
        assert one.reason.isprintable()
        assert len(one.reason) < 300


@pytest.mark.parametrize("written_over", ['{"floor": 1}', "not JSON", "[" * 5_000, "null", "7", '"0.9"'])
def test_a_goal_that_was_altered_is_named_and_hides_no_other(present: InForce, keep: Keep, tmp_path: Path, written_over: str):
    altered, sound = keep(), keep(time_ms=START + 1)
    raw = sqlite3.connect(tmp_path / "ledger.sqlite")
    with raw:
        raw.execute("UPDATE goal SET objective = ? WHERE id = ?", (written_over, altered.id))
    raw.close()
    found = {one.id: one for one in present.during(START, START + DAY)}
    assert found[altered.id].objection == "its objective isn't what was approved"
    assert found[sound.id].objection == ""
    assert len(taken(tuple(found.values())).goals) == 2


def test_a_cohort_by_a_column_that_was_tagged_since_is_not_asked(ledger: Ledger, keep: Keep):
    keep(cohort={"b": ["x"]})
    tagged = ModelSchema(columns=(SCHEMA.columns[0], Column(name="b", kind="category", role="key", tags=("pii",))))
    (found,) = InForce(ledger, Places(MODEL, "/lake", Path("/r"), DAY, schema=tagged)).during(START, START + DAY)
    assert "tagged pii" in found.objection
    assert found.cohort == ()


def measured(ledger: Ledger, goal: str, value: float, time_ms: int, *, subject: str = "", key: str = "compare") -> None:
    """Write a finished comparison into the ledger."""
    reached = {"goal": goal, "metric": "auc", "rows": 500, "champion": {"value": value, "low": value - 0.1, "high": value + 0.1}}
    step = ledger.lease(
        MODEL, subject or f"i{time_ms}", key, kind="skill", skill="compare_models", owner="o", until_wall_ms=0, now_ms=time_ms
    )
    step = ledger.reserve(step, {"arguments": {"champion": "c" * 64, "challenger": "d" * 64}}, time_ms)
    ledger.finish(step, {"goals": [{"goal": "another"}, "nonsense", reached]}, time_ms)


def test_a_baseline_is_what_was_measured_first_since_the_approval(present: InForce, keep: Keep, ledger: Ledger):
    change = {"floor": None, "change": {"by": 0.02, "of": "points"}}
    plain = {name: value for name, value in (PLAIN | change).items() if value is not None}
    goal, bounded = keep(plain), keep(time_ms=START + 1)
    measured(ledger, goal.id, 0.5, START - DAY)
    assert [one.baseline for one in present.compared(START, START + DAY)] == [None, None]
    measured(ledger, goal.id, 0.7, START + DAY, subject=subject_of(MODEL), key="goals_1")
    measured(ledger, goal.id, 0.9, START + 2 * DAY)
    measured(ledger, bounded.id, 0.9, START + 3 * DAY)
    first, second = present.compared(START, START + DAY)
    stood = Baseline(
        value=0.7, low=0.7 - 0.1, high=0.7 + 0.1, rows=500, champion="c" * 64, measured="by_itself", time_ms=START + DAY
    )
    assert (first.baseline, second.baseline) == (stood, None)
    assert msgspec.to_builtins(taken((first,)).goals[0].baseline) == msgspec.to_builtins(stood)


def test_a_baseline_of_a_comparison_says_so(present: InForce, keep: Keep, ledger: Ledger):
    goal = keep({"model": MODEL, "aim": "improve", "metric": "auc", "direction": "higher"})
    measured(ledger, goal.id, 0.7, START + DAY)
    (asked,) = present.compared(START, START + DAY)
    assert asked.baseline is not None
    assert (asked.baseline.value, asked.baseline.measured) == (0.7, "in_a_comparison")


@pytest.mark.parametrize(
    "result", [{}, {"goals": None}, {"goals": "x"}, {"goals": [7, {"goal": 7}, {"goal": "g", "champion": {"value": "x"}}]}]
)
def test_answers_that_can_t_be_read_measure_nothing(ledger: Ledger, result: dict[str, Any]):
    step = ledger.lease(MODEL, "i", "k", kind="skill", skill="compare_models", owner="o", until_wall_ms=0, now_ms=1)
    assert measured_in(ledger.finish(ledger.reserve(step, {"arguments": {}}, 1), result, 1)) == []
    assert measured_in(step) == []


def test_no_more_goals_are_approved_than_can_be_measured(ledger: Ledger, keep: Keep, monkeypatch: pytest.MonkeyPatch):
    assert MOST_GOALS == 50
    monkeypatch.setattr(keeping_, "MOST_GOALS", 3)
    for number in range(3):
        keep(floor=0.5 + number / 1_000)
    keeping = Keeping(ledger, lambda today: Vocabulary(model=MODEL, schema=SCHEMA, today=today))
    wanted = read(PLAIN)
    for kind, by in (("propose_goal", "ann"), ("approve_goal", "bob")):
        arguments = {"objective": written(wanted), "digest": wanted.digest}
        command = Command(id=f"last-{kind}", kind=kind, model=MODEL, by=by, arguments=arguments)  # type: ignore[arg-type]
        ledger.take_command(command, START)
        if kind == "propose_goal":
            keeping.apply(command, START)
        else:
            with pytest.raises(GoalRefusedError, match="3 goals are approved already"):
                keeping.apply(command, START)
