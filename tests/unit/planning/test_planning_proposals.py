"""What the stage tells a planner, and what it makes of proposals that go too far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Move, Reason
from daemon.planners.base import Proposal, Situation
from daemon.planning.compose import configuration_of, restoring
from daemon.planning.config import PlanningConfig
from daemon.planning.device import Machine
from daemon.planning.stage import Planning
from streams.contracts.bundle import MANIFEST_FILE, decode_manifest, encode_manifest
from tests.kit.control import DAY, MODEL, SKILLS, START, Control, bundle, event
from tests.unit.planning.plans import JUDGING, incident

CHANGE = {"since_ms": START - 9 * DAY, "rows": 900}


class Recording:
    """Proposes what it was given, and keeps what it was asked."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self.asked: list[Situation] = []

    async def propose(self, situation: Situation) -> Proposal:
        self.asked.append(situation)
        return self._proposal


def proposal(action: str, **changes: Any) -> Proposal:
    return Proposal(action=action, reasons=(Reason(text="r"),), utilities={}, **changes)  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def stage(control: Control, ledger: Ledger, planner: Recording, **config: Any) -> Planning:
    return Planning(
        ledger, control.places, PlanningConfig(**config), SKILLS, label_wait_ms=DAY, most_waits=2, judging=JUDGING,
        policy=planner, machine=lambda: Machine(64_000.0),
    )  # fmt: skip


def found(*digests: str, change: dict[str, int] | None = CHANGE) -> dict[str, Any]:
    archived = [{"digest": digest, "value": 0.1, "low": 0.05, "high": 0.15, "rows": 450} for digest in digests]
    return {"diagnosis": {"change": change, "archived": archived}}


async def test_a_bundle_comes_back_only_if_the_diagnosis_has_measured_it(tmp_path: Path, ledger: Ledger) -> None:
    control = Control(tmp_path)
    one, other = (bundle(control.places.registry / MODEL, name) for name in ("one", "other"))
    asked = incident(challenger="", champion=control.champion, details=found(one))
    for named, to in ((one, "planned"), (other, "refused"), (None, "refused")):
        planner = Recording(proposal("restore_archived", challenger=named))
        move = await stage(control, ledger, planner).decide(asked, control.champion, START)
        assert (move.to, move.challenger) == (to, one if to == "planned" else None)
    planner = Recording(proposal("retrain", challenger=other))
    move = await stage(control, ledger, planner).decide(asked, control.champion, START)
    assert move.challenger is None, "nobody asked for that"


async def test_the_planner_is_told_of_freezes_waits_and_what_was_tried(tmp_path: Path, ledger: Ledger) -> None:
    control = Control(tmp_path)
    one = bundle(control.places.registry / MODEL, "one")
    asked = incident(challenger="", champion=control.champion, details=found(one))
    planner = Recording(proposal("no_action"))
    await stage(control, ledger, planner).decide(asked, control.champion, START)
    await stage(control, ledger, planner, kill_switch=True).decide(asked, control.champion, START)
    await tried_and_lost(ledger, control, configuration_of("retrain", control.champion, (), PlanningConfig()), "a")
    await tried_and_lost(ledger, control, restoring(control.champion, one), "b")
    await stage(control, ledger, planner).decide(asked, control.champion, START + DAY)
    await stage(control, ledger, planner).decide(asked, control.champion, START + 20 * DAY)
    first, frozen, after, later = planner.asked
    assert (first.is_frozen, frozen.is_frozen) == (False, True)
    assert first.wait_ms == DAY
    assert (first.tried, after.tried, later.tried) == ((), ("retrain",), ())
    assert [len(one.diagnosis.archived) for one in (first, after, later)] == [1, 0, 1]


async def tried_and_lost(ledger: Ledger, control: Control, configuration: str, name: str) -> None:
    ledger.take_event(event(START, name=name))
    opened = ledger.open_for_event(event(START, name=name), "performance", control.champion, "r", START)
    planner = Recording(proposal("retrain"))
    plan = (await stage(control, ledger, planner).decide(opened, control.champion, START)).plan
    assert plan is not None
    plan = msgspec.structs.replace(plan, configuration=configuration, created_ms=plan.created_ms + ord(name))
    moves = (
        Move(to="diagnosed", reason="", rule=""), Move(to="planned", reason="", rule="", plan=plan),
        Move(to="running", reason="", rule=""), Move(to="refused", reason="", rule="sealed_fail"),
    )  # fmt: skip
    for move in moves:
        opened = ledger.move(opened, move, START)


async def test_a_training_says_where_it_runs_when_the_champion_tells_how_large_it_was(tmp_path: Path, ledger: Ledger) -> None:
    control = Control(tmp_path)
    planner = Recording(proposal("retrain"))
    asked = incident(challenger="", champion=control.champion)
    plan = (await stage(control, ledger, planner).decide(asked, control.champion, START)).plan
    assert plan is not None
    assert plan.steps[1].arguments["parameters"] == {}, "nobody knows how large it will be"
    store = control.places.registry / MODEL
    manifest = decode_manifest((store / control.champion / MANIFEST_FILE).read_bytes())
    sized = msgspec.structs.replace(manifest, lineage={"fitted_rows": 120_000, "rounds": 250})
    (store / sized.digest).mkdir()
    (store / sized.digest / MANIFEST_FILE).write_bytes(encode_manifest(sized))
    plan = (await stage(control, ledger, planner).decide(asked, sized.digest, START)).plan
    assert plan is not None
    assert plan.steps[1].arguments["parameters"] == {"device": "cpu"}
    assert "120000 rows x 1 columns train on the CPU" in plan.reasons[-1].text
