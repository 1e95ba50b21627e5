"""Goals through the whole loop: asked of every comparison, judged by their gate, measured of the champion by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.goals.objective import read, written
from daemon.goals.reached import subject_of
from daemon.ledger.ids import goal_id
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, PlanStep
from daemon.loop import Loop
from skills import compare_models
from streams.contracts.records import Command
from tests.kit.control import DAY, MODEL, START, Control, comparison, event

WANTED = read(
    {"model": MODEL, "aim": "hold", "metric": "precision", "direction": "higher", "floor": 0.9, "cohort": {"a": {"from": 1}}}
)
GOAL = goal_id(MODEL, START, "ask-1")
MEASURES = subject_of(MODEL)


def told(champion: float | None, challenger: float | None, goal: str = GOAL) -> dict[str, Any]:
    """What a comparison says of the goal."""
    reached: dict[str, Any] = {"goal": goal, "digest": WANTED.digest, "metric": "precision", "rows": 700, "floor": 0.9}
    for name, value in (("champion", champion), ("challenger", challenger)):
        reached[name] = None if value is None else {"value": value, "low": value - 0.01, "high": value + 0.01}
    return comparison(0.05) | {"goals": [reached]}


def good(**changes: Any) -> dict[str, Any]:
    """Answers of the skills where every challenger keeps the goal."""
    names = ("compare_models", "live_challenger", "live_champion")
    return dict.fromkeys(names, told(0.95, 0.95)) | changes


class DiedError(BaseException):
    """What ends a daemon wherever it is."""


class World:
    """A control plane in which ann asks for a goal and bob approves it."""

    def __init__(self, control: Control, ledger: Ledger, **judging: Any) -> None:
        self.control, self.ledger, self.loop = control, ledger, control.loop(ledger, judging=judging)

    def order(self, kind: str, by: str, number: int = 1, **arguments: Any) -> None:
        name = {"propose_goal": "ask", "approve_goal": "yes", "retire_goal": "no"}[kind]
        command = Command(id=f"{name}-{number}", kind=kind, model=MODEL, by=by, arguments=arguments)  # type: ignore[arg-type]
        assert self.loop.on_command(command, "approver")

    async def ask(self, objective: Any = WANTED, number: int = 1) -> None:
        """Have a goal approved at START."""
        self.order("propose_goal", "ann", number, objective=written(objective), digest=objective.digest)
        self.order("approve_goal", "bob", number, digest=objective.digest)
        await self.loop.on_watermark(START)
        assert self.ledger.goals(MODEL)[-1].state == "approved"

    async def go(self, first: int, last: int) -> Incident:
        """Let days pass, with an alarm on the first."""
        self.loop.on_event(event(START + first * DAY))
        return await self.wait(first, last)

    async def wait(self, first: int, last: int) -> Incident:
        """Let days pass."""
        for day in range(first, last + 1):
            await self.loop.on_watermark(START + day * DAY)
        return self.ledger.incidents()[0]

    def compared(self, incident: Incident) -> list[PlanStep]:
        """The comparisons that were made, as they were asked for."""
        steps = [step for step in self.ledger.steps(incident.id) if step.skill == "compare_models"]
        return [PlanStep(key=step.key, skill=step.skill, arguments=step.payload["arguments"]) for step in steps]

    def rule(self, incident: Incident) -> str:
        return [record.data["rule"] for record in self.ledger.trail(incident.id) if record.kind == "incident.moved"][-1]


@asynccontextmanager
async def running(folder: Path, **answers: Any) -> AsyncIterator[World]:
    control = Control(folder, **good(**answers))
    await control.world.publish(control.first_deployment())
    with open_ledger(folder / "ledger.sqlite") as ledger:
        yield World(control, ledger)
        assert ledger.verify() is None


async def test_every_comparison_is_asked_the_goals_that_are_in_force(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ask()
        incident = await world.go(1, 30)
        assert incident.state == "closed"
        plan = world.ledger.plan(incident.plan_digest or "")
        (planned,) = [step.arguments["goals"] for step in plan.steps if step.skill == "compare_models"]
        assert [one["id"] for one in planned] == [GOAL]
        made = world.compared(incident)
        assert [step.key for step in made] == ["compare", "compare_shadowing_0", "compare_probation_0"]
        for step in made:
            given = msgspec.json.decode(msgspec.json.encode(step.arguments), type=compare_models.Input)
            assert [(one.id, one.digest, one.floor) for one in given.goals] == [(GOAL, WANTED.digest, 0.9)]
            assert given.goals[0].cohort == WANTED.cohort
        findings = {phase: incident.details[phase]["findings"] for phase in ("sealed", "shadow")}
        for found in findings.values():
            (said,) = [one for one in found if one["gate"] == "keeps_goals"]
            assert (said["outcome"], said["numbers"]["goals"]) == ("pass", 1.0)


async def test_a_challenger_that_breaks_a_goal_is_refused_by_that_rule(tmp_path: Path) -> None:
    async with running(tmp_path, compare_models=told(0.95, 0.85)) as world:
        await world.ask()
        incident = await world.go(1, 5)
        assert (incident.state, world.rule(incident)) == ("refused", "sealed_fail")
        failed = [one["gate"] for one in incident.details["sealed"]["findings"] if one["outcome"] != "pass"]
        assert failed == ["keeps_goals"]
        assert "precision of " + WANTED.digest[:12] in incident.reason
        assert world.control.world.history[-1].champion == world.control.champion


async def test_a_challenger_that_breaks_a_goal_live_is_taken_out(tmp_path: Path) -> None:
    async with running(tmp_path, live_challenger=told(0.95, 0.85)) as world:
        await world.ask()
        incident = await world.go(1, 15)
        assert (incident.state, world.rule(incident)) == ("refused", "shadow_fail")
        failed = [one["gate"] for one in incident.details["shadow"]["findings"] if one["outcome"] != "pass"]
        assert failed == ["keeps_goals"]


async def test_what_can_t_be_measured_freezes_nothing(tmp_path: Path) -> None:
    unmeasured = told(None, None)
    unmeasured["goals"][0]["reason"] = "3 rows are of its cohort and its days; at least 100 are needed"
    async with running(tmp_path, **dict.fromkeys(("compare_models", "live_challenger", "live_champion"), unmeasured)) as world:
        await world.ask()
        incident = await world.go(1, 30)
        assert incident.state == "closed"
        (said,) = [one for one in incident.details["shadow"]["findings"] if one["gate"] == "keeps_goals"]
        assert (said["numbers"]["unmeasured"], "3 rows are of its cohort" in said["reason"]) == (1.0, True)


async def test_an_answer_that_says_nothing_of_goals_proves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, compare_models=comparison(0.05) | {"goals": None}) as world:
        incident = await world.go(1, 5)
        assert (incident.state, world.rule(incident)) == ("refused", "sealed_inconclusive")


async def test_a_goal_that_comes_or_goes_counts_from_the_next_comparison(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ask()
        incident = await world.go(1, 2)
        assert incident.state == "shadowing"
        world.order("retire_goal", "bob", digest=WANTED.digest)
        incident = await world.wait(3, 12)
        assert incident.state == "probation"
        later = read(written(WANTED) | {"floor": 0.8})
        world.order("propose_goal", "ann", 2, objective=written(later), digest=later.digest)
        world.order("approve_goal", "bob", 2, digest=later.digest)
        incident = await world.wait(13, 30)
        asked = {step.key: [one["digest"] for one in step.arguments.get("goals", ())] for step in world.compared(incident)}
        assert asked == {"compare": [WANTED.digest], "compare_shadowing_0": [], "compare_probation_0": [later.digest]}


def measures(world: World) -> list[tuple[str, str, list[str]]]:
    """The measurements of the champion by itself: of which bundle, whether it was done, and of which goals."""
    return [
        (step.payload["arguments"]["champion"], step.state, [one["id"] for one in step.payload["arguments"]["goals"]])
        for step in world.ledger.steps(MEASURES)
    ]


async def test_the_champion_is_measured_by_itself_once_for_each_goal_and_each_week(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.loop.on_watermark(START)
        assert measures(world) == []
        await world.ask()
        once = (world.control.champion, "done", [GOAL])
        assert measures(world) == [once]
        (step,) = world.ledger.steps(MEASURES)
        live = step.payload["arguments"]["live"]
        assert (live["champion_slot"], live["challenger_slot"]) == ("champion", "champion")
        assert (live["until_ms"], live["until_ms"] - live["since_ms"]) == (START, 30 * DAY)
        await world.loop.on_watermark(START)
        again = world.control.loop(world.ledger, owner="two")
        await again.on_watermark(START)
        assert measures(world) == [once], "neither another watermark nor another daemon measures it again"
        for day in range(1, 15):
            await again.on_watermark(START + day * DAY)
        assert measures(world) == [once] * 3
        assert world.control.starts() == ["compare_models"] * 3
        other = read(written(WANTED) | {"floor": 0.8})
        both = [GOAL, goal_id(MODEL, START + 14 * DAY, "ask-2")]
        world.loop = again
        world.order("propose_goal", "ann", 2, objective=written(other), digest=other.digest)
        world.order("approve_goal", "bob", 2, digest=other.digest)
        await again.on_watermark(START + 14 * DAY)
        assert measures(world)[-1] == (world.control.champion, "done", both)


async def test_a_new_champion_is_measured_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        world = World(made.control, made.ledger, goals_every="365d")
        await world.ask()
        assert [bundle for bundle, _, _ in measures(world)] == [world.control.champion]
        await world.go(1, 30)
        assert [bundle for bundle, _, _ in measures(world)] == [world.control.champion, world.control.challenger]


async def test_a_measurement_that_fails_stops_nothing_and_isn_t_repeated_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, live_champion="lake") as world:
        await world.ask()
        await world.loop.on_watermark(START)
        assert measures(world) == [(world.control.champion, "failed", [GOAL])]
        assert world.control.starts() == ["compare_models"]
        standing = world.loop._do.standing
        assert standing.question(world.control.champion, START) is None
        assert standing.question(world.control.champion, START + 7 * DAY) is not None
        await world.loop.on_watermark(START + 7 * DAY)
        assert len(measures(world)) == 2


async def test_no_outcomes_yet_is_no_failure_of_the_loop(tmp_path: Path) -> None:
    async with running(tmp_path, live_champion="no_data") as world:
        await world.ask()
        assert [state for _, state, _ in measures(world)] == ["failed"]


async def test_a_change_is_told_from_what_was_measured_after_the_approval(tmp_path: Path) -> None:
    unbounded = {name: value for name, value in written(WANTED).items() if name != "floor"}
    wanted = read(unbounded | {"change": {"by": 0.02, "of": "points"}})
    async with running(tmp_path) as world:
        await world.ask(wanted)
        incident = await world.go(1, 5)
        (given,) = world.compared(incident)[0].arguments["goals"]
        stood = {"value": 0.95, "low": 0.94, "high": 0.96, "rows": 700, "champion": world.control.champion}
        assert given["baseline"] == stood | {"measured": "by_itself", "time_ms": START}
        assert given["change"] == {"by": 0.02, "of": "points"}


async def test_hostile_objectives_in_the_ledger_stop_no_judge(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        for number, objective in enumerate(({"aim": "hold"}, written(WANTED) | {"floor": "a lot"}, {"cohort": {"a": {"b": {}}}})):
            commands = [
                Command(id=f"h{number}-{kind}", kind=kind, model=MODEL, by=by)  # type: ignore[arg-type]
                for kind, by in (("propose_goal", "ann"), ("approve_goal", "bob"))
            ]
            for command in commands:
                world.ledger.take_command(command, START)
            goal = world.ledger.propose_goal(commands[0], objective, "", START)
            world.ledger.approve_goal(commands[1], goal, START)
        incident = await world.go(1, 30)
        assert incident.state == "closed"
        for step in world.compared(incident):
            assert [bool(one["objection"]) for one in step.arguments["goals"]] == [True] * 3


async def test_a_loop_that_dies_between_measuring_and_judging_judges_what_was_measured(tmp_path: Path) -> None:
    async with running(tmp_path, compare_models=told(0.95, 0.85)) as world:
        await world.ask()

        def dead(results: dict[str, dict[str, Any]], submitted: str) -> Any:
            raise DiedError

        world.loop._do.judging.weigh_sealed = dead  # type: ignore[method-assign]
        world.loop.on_event(event(START + DAY))
        with pytest.raises(DiedError):
            await world.loop.on_watermark(START + DAY)
        (incident,) = world.ledger.incidents()
        assert incident.state == "running"
        starts = world.control.starts()
        again: Loop = world.control.loop(world.ledger, owner="two")
        # The goal is retired meanwhile: that counts from the next comparison, and this one was made.
        world.loop = again
        world.order("retire_goal", "bob", digest=WANTED.digest)
        await again.on_watermark(START + 2 * DAY)
        (incident,) = world.ledger.incidents()
        assert (incident.state, world.rule(incident)) == ("refused", "sealed_fail")
        assert world.control.starts() == starts
