"""The daemon killed at durable changes of every kind, on both databases: the same end, every effect once, no step lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, get_args

import pytest
from sqlalchemy import create_engine, select

from daemon.ledger.engine import url_of
from daemon.ledger.ledger import open_ledger
from daemon.ledger.records import ENDS, State
from daemon.ledger.tables import Table
from tests.kit.control import MODEL
from tests.kit.crash_stories import STORIES
from tests.kit.world import FileWorld

ROOT = Path(__file__).parents[2]
AT_RANDOM = 4
PARTS = 8
# All that may not depend on how often the daemon died; attempts, owners and wall times may.
COMPARED = {
    "incident": ("id", "state", "challenger", "plan_digest", "reason", "moved_ms", "details"),
    "event": ("id", "decision", "incident_id"),
    "command": ("id", "state", "reason"),
    "step": ("id", "state", "failure", "result", "ended_ms"),
    "plan": ("digest", "data"),
    "approval": ("id", "plan_digest", "by", "state"),
    "experiment": ("fingerprint", "outcome"),
    "lesson": ("incident_id", "text", "numbers"),
    "playbook": ("digest", "recipe", "state", "supported_by", "reason", "changed_ms", "approved_by"),
    "goal": ("id", "objective", "state", "approved_by", "approved_ms", "retired_by", "retired_ms"),
    "budget_entry": ("incident_id", "kind", "amount", "time_ms"),
}


class Played(NamedTuple):
    """A story that was played: where it lies, its ledger, and the boundaries it passed, in order and with repeats."""

    folder: Path
    place: str
    passed: list[str]


class Stage:
    """Where one story is played again and again.

    Every time it is in a folder of the same name, because plans hold absolute paths; it is put aside afterwards.
    """

    def __init__(self, story: str, folder: Path) -> None:
        self.story = story
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self._played = 0
        self.whole = self.play("sqlite", ())
        self.boundaries = list(dict.fromkeys(self.whole.passed))
        self.end = end_of(self.whole)

    def play(self, place: str, kills: Iterable[str]) -> Played:
        """Play it to its end, killed at each of some boundaries."""
        folder, aside, list_of_kills = self.folder / "run", self.folder / str(self._played), self.folder / "kills"
        self._played += 1
        list_of_kills.write_text("".join(f"{kill}\n" for kill in kills))
        command = [sys.executable, "-m", "tests.kit.crash_driver", folder, self.story, place, list_of_kills]
        done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, check=False)  # noqa: S603 - our own module
        assert done.returncode == 0, done.stderr.decode()
        folder.rename(aside)
        ledger = str(aside / "ledger.sqlite") if place == "sqlite" else place
        return Played(aside, ledger, (aside / "boundaries.log").read_text().splitlines())

    def check(self, killed: Played, kills: Iterable[str]) -> None:
        """Look whether it ended as if nobody had ever been killed."""
        assert set(kills) <= set(killed.passed), "every kill was reached, and ended a life"
        assert set(killed.passed) == set(self.boundaries)
        assert end_of(killed) == self.end
        assert moves_of(killed) == moves_of(self.whole)


def end_of(played: Played) -> dict[str, Any]:
    engine = create_engine(url_of(played.place))
    with engine.connect() as connection:
        found: dict[str, Any] = {}
        for name, names in COMPARED.items():
            table = Table.metadata.tables[name]
            rows = connection.execute(select(*(table.c[one] for one in names)))
            found[name] = sorted(map(tuple, rows), key=repr)
    engine.dispose()
    starts = played.folder / "lake" / "starts.log"
    return found | {
        "starts": starts.read_text().split() if starts.exists() else [],
        "deployments": FileWorld(played.folder / "deployments.jsonl").history,
        "bundles": sorted(path.name for path in (played.folder / "registry" / MODEL).iterdir()),
    }


def moves_of(played: Played) -> list[str]:
    """The moves in the audit, which must be whole."""
    with open_ledger(played.place, read_only=True) as ledger:
        assert ledger.verify() is None
        return [record.data["to"] for record in ledger.trail() if record.kind == "incident.moved"]


@pytest.fixture(scope="module", params=STORIES)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> str:
    return "sqlite" if request.param == "sqlite" else str(request.getfixturevalue("postgres").database())


def test_a_story_ends_as_it_says(stage: Stage) -> None:
    story = STORIES[stage.story]
    assert tuple(row[1] for row in stage.end["incident"]) == story.ends
    assert all(row[1] in {"done", "failed", "pending"} for row in stage.end["step"])
    generations = [one.generation for one in stage.end["deployments"]]
    assert generations == list(range(1, len(generations) + 1))


def test_the_promoted_story_is_the_whole_loop(stage: Stage) -> None:
    if stage.story == "promoted":
        said = [one.reason.split()[0] for one in stage.end["deployments"]]
        assert said == ["first", "prepare", "shadow", "promote", "tidy"]
        assert moves_of(stage.whole) == [
            "diagnosed", "planned", "running", "judged", "shadowing", "promoting", "probation", "closed",
        ]  # fmt: skip
        assert len(stage.boundaries) >= 90


def test_the_wanted_story_asks_for_the_goal_as_long_as_it_is_one(stage: Stage) -> None:
    if stage.story == "wanted":
        with open_ledger(stage.whole.place, read_only=True) as ledger:
            steps = {step.key: step.payload["arguments"] for step in ledger.finished(MODEL, "compare_models")}
        alone = [one["champion"] for key, one in steps.items() if key.startswith("goals_")]
        assert (len(alone), len(set(alone))) == (3, 2), "in two weeks, and when the challenger had become champion"
        asked = {key: one.get("goals", []) for key, one in steps.items() if key.startswith("compare")}
        told_from = {key: [goal["baseline"]["measured"] for goal in goals] for key, goals in asked.items()}
        assert told_from == {"compare": ["by_itself"], "compare_shadowing_0": ["by_itself"], "compare_probation_0": []}


def test_killed_at_some_boundaries_ends_as_if_never_killed(stage: Stage, place: str) -> None:
    drawn = Random(f"{stage.story} {place[:6]}")  # noqa: S311 - drawn again from its seed
    kills = drawn.sample(stage.boundaries, AT_RANDOM)
    stage.check(stage.play(place, kills), kills)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_killed_at_every_boundary_in_turn_ends_as_if_never_killed(stage: Stage, place: str) -> None:
    stage.check(stage.play(place, stage.boundaries), stage.boundaries)


@pytest.mark.full
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_once_at_any_boundary_ends_as_if_never_killed(
    request: pytest.FixtureRequest, tmp_path: Path, part: int, database: str
) -> None:
    stage = Stage("promoted", tmp_path)
    for boundary in stage.boundaries[part::PARTS]:
        place = "sqlite" if database == "sqlite" else request.getfixturevalue("postgres").database()
        stage.check(stage.play(place, [boundary]), [boundary])


@pytest.mark.full
def test_between_them_the_stories_come_by_everything(tmp_path: Path) -> None:
    stages = [Stage(story, tmp_path / story) for story in STORIES]
    assert {row[1] for stage in stages for row in stage.end["incident"]} == ENDS
    assert {to for stage in stages for to in moves_of(stage.whole)} >= set(get_args(State)) - ENDS
    steps = [key for stage in stages for key, *_ in stage.end["step"]]
    for part in (
        "diagnose_",
        "data",
        "search",
        "train",
        "compare",
        "prepare_",
        "shadow_",
        "canary",
        "promote",
        "rollback",
        "tidy",
    ):
        assert any(f".{part}" in key for key in steps), part
    states = {boundary.removeprefix("before ").split()[0] for stage in stages for boundary in stage.boundaries}
    assert {"step.leased", "step.reserved", "step.done", "step.failed", "answered", "published", "approval.given"} <= states
    assert {"playbook.proposed", "playbook.approved", "playbook.suspended"} <= states
