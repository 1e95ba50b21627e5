"""`driftwake goals show`: how the champion and the last challengers stand on a goal, from what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.commands.standing import goal_story
from daemon.goals.objective import Change, Objective, written
from daemon.goals.reached import subject_of
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Goal
from streams.contracts.records import Command
from tests.kit.command_line import Run

DAY = 86_400_000
MODEL = "parcels"
OLD, NEW, THIRD = "a" * 64, "b" * 64, "c" * 64
WANTED = Objective(model=MODEL, aim="hold", metric="precision", direction="higher", floor=0.9, over="30 days")


@pytest.fixture
def ledger(config: Path) -> Iterator[Ledger]:
    folder = config.parent / "data"
    folder.mkdir()
    with open_ledger(folder / "ledger.sqlite") as opened:
        yield opened


def kept(ledger: Ledger, wanted: Objective = WANTED, *, by: str = "bob") -> Goal:
    """Have a goal approved on the first day, by somebody, or by nobody."""
    for kind in ("propose_goal", "approve_goal"):
        command = Command(id=f"{kind}-{wanted.digest[:6]}", kind=kind, model=MODEL, by="ann")  # type: ignore[arg-type]
        ledger.take_command(command, DAY)
        if kind == "propose_goal":
            goal = ledger.propose_goal(command, written(wanted), "as precise as ever", DAY)
        elif by:
            ledger.approve_goal(command, goal, DAY)
    return next(one for one in ledger.goals() if one.id == goal.id)


def measured(ledger: Ledger, goal: Goal, key: str, day: int, *sides: tuple[str, float | None], **reached: Any) -> None:
    """Write a finished comparison of two bundles, or a measurement of one."""
    told: dict[str, Any] = {"goal": goal.id, "metric": "precision", "rows": 700, "level": 0.95, "floor": 0.9} | reached
    names = ("champion", "challenger")
    for name, (_, value) in zip(names, (sides[0], sides[-1]), strict=True):
        told[name] = None if value is None else {"value": value, "low": value - 0.02, "high": value + 0.02}
    subject = f"inc-{day}" if len(sides) == 2 else subject_of(MODEL)
    step = ledger.lease(MODEL, subject, key, kind="skill", skill="compare_models", owner="o", until_wall_ms=0, now_ms=day * DAY)
    arguments = {"champion": sides[0][0], "challenger": sides[-1][0]}
    ledger.finish(ledger.reserve(step, {"arguments": arguments}, day * DAY), {"goals": [told]}, day * DAY)


def deployed(ledger: Ledger, digest: str, generation: int) -> None:
    step = ledger.lease(
        MODEL, f"d{generation}", "promote", kind="deploy", skill="deploy", owner="o", until_wall_ms=0, now_ms=generation
    )
    ledger.finish(ledger.reserve(step, {"generation": generation, "champion": digest}, generation), {}, generation)


def test_the_last_comparisons_and_the_champion_are_shown(run: Run, config: Path, ledger: Ledger):
    goal = kept(ledger)
    measured(ledger, goal, "goals_1", 2, (OLD, 0.95))
    measured(ledger, goal, "compare", 3, (OLD, 0.95), (NEW, 0.85))
    measured(ledger, goal, "compare_shadowing_0", 9, (OLD, None), (NEW, 0.91), reason="champion: 3 rows")
    answer = run("goals", "show", goal.digest[:8], "--config", str(config))
    assert answer.code == 0, answer.err
    told = " ".join(answer.out.split())
    assert "The gate `keeps_goals` asks every challenger for this, and the champion is measured by itself." in told
    assert "How the champion stands met: 0.95 (0.93 … 0.97) on 700 rows, on sealed rows, 1970-01-04T00:00:00Z;" in told
    assert "intervals are 95 %" in told
    assert f"on sealed rows 700 challenger {NEW[:12]} 0.85 (0.83 … 0.87) missed at least 0.9" in told
    assert f"live, in shadow 700 champion {OLD[:12]} - not known at least 0.9 champion: 3 rows" in told
    assert f"live, in shadow 700 challenger {NEW[:12]} 0.91 (0.89 … 0.93) not known" in told
    assert f"the champion by itself 700 champion {OLD[:12]} 0.95" in told
    assert "asked for over 30 days; measured on the rows at hand" in told
    assert answer.out.index("1970-01-10") < answer.out.index("1970-01-03")


def test_json_has_the_goal_and_how_it_stands(run: Run, config: Path, ledger: Ledger):
    goal = kept(ledger)
    measured(ledger, goal, "compare", 3, (OLD, 0.95), (NEW, 0.85))
    told = json.loads(run("goals", "show", goal.digest, "--json", "--config", str(config)).out)
    assert (told["id"], told["objective"], told["approved_by"]) == (goal.id, written(WANTED), "ann")
    (one,) = told["comparisons"]
    assert (one["where"], one["rows"], one["time_ms"], one["subject"]) == ("sealed", 700, 3 * DAY, "inc-3")
    assert one["champion"] == {
        "digest": OLD, "measured": {"value": 0.95, "low": 0.95 - 0.02, "high": 0.95 + 0.02}, "standing": "met",
    }  # fmt: skip
    assert (one["challenger"]["standing"], one["floor"], one["ceiling"]) == ("missed", 0.9, None)
    assert told["champion"] is None, "nobody knows yet who serves"


def test_the_champion_of_now_is_who_was_deployed_last(ledger: Ledger):
    goal = kept(ledger)
    measured(ledger, goal, "goals_1", 2, (OLD, 0.95))
    measured(ledger, goal, "compare_shadowing_0", 3, (OLD, 0.95), (NEW, 0.85))
    first = goal_story(ledger, goal).champion
    assert first is not None
    assert (first.value.digest, first.value.standing, first.where) == (OLD, "met", "shadow")
    deployed(ledger, NEW, 2)
    second = goal_story(ledger, goal).champion
    assert second is not None
    assert (second.value.digest, second.value.standing, second.time_ms) == (NEW, "missed", 3 * DAY)
    measured(ledger, goal, "goals_2", 4, (NEW, 0.93))
    third = goal_story(ledger, goal).champion
    assert third is not None
    assert (third.value.standing, third.where) == ("met", "by_itself")
    deployed(ledger, THIRD, 3)
    assert goal_story(ledger, goal).champion is None


def test_what_a_change_is_told_from_is_shown(run: Run, config: Path, ledger: Ledger):
    wanted = Objective(model=MODEL, aim="hold", metric="precision", direction="higher", change=Change(by=0.02, of="points"))
    goal = kept(ledger, wanted)
    arguments = ("goals", "show", goal.digest, "--config", str(config))
    assert "told from" not in run(*arguments).out
    measured(ledger, goal, "goals_1", 2, (OLD, 0.95), floor=0.93)
    measured(ledger, goal, "compare", 3, (OLD, 0.97), (NEW, 0.85), floor=0.93)
    told = " ".join(run(*arguments).out.split())
    assert f"told from 0.95 (0.93 … 0.97), what {OLD[:12]} had by itself on 700 rows, 1970-01-03T00:00:00Z" in told


def test_only_the_last_comparisons_are_shown(ledger: Ledger):
    goal, other = kept(ledger), kept(ledger, Objective(model=MODEL, aim="improve", metric="auc", direction="higher"))
    for day in range(2, 12):
        measured(ledger, goal if day % 2 else other, "compare", day, (OLD, 0.95), (NEW, 0.85))
    assert [one.time_ms // DAY for one in goal_story(ledger, goal).comparisons] == [11, 9, 7, 5, 3]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (WANTED, "not known: nobody has measured this of the champion of now"),
        (Objective(model=MODEL, aim="predict", target="weight"), "nothing acts on it"),
        (Objective(model=MODEL, aim="hold", metric="latency_p99", direction="lower", ceiling=20.0), "no challenger is asked it"),
    ],
)
def test_it_says_what_acts_on_it(run: Run, config: Path, ledger: Ledger, wanted: Objective, said: str):
    goal = kept(ledger, wanted)
    answer = run("goals", "show", goal.digest, "--config", str(config))
    assert answer.code == 0, answer.err
    assert said in " ".join(answer.out.split())


def test_a_proposed_goal_is_asked_of_nobody_yet(run: Run, config: Path, ledger: Ledger):
    answer = run("goals", "show", kept(ledger, by="").digest, "--config", str(config))
    assert "asks every challenger for this once it is approved" in " ".join(answer.out.split())
    assert "How the champion stands" not in answer.out


def test_a_retired_goal_says_so(run: Run, config: Path, ledger: Ledger):
    goal = kept(ledger)
    command = Command(id="r", kind="retire_goal", model=MODEL, by="bob")
    ledger.take_command(command, DAY)
    ledger.retire_goal(command, goal, DAY)
    assert "no challenger is asked it any more" in run("goals", "show", goal.digest, "--config", str(config)).out
