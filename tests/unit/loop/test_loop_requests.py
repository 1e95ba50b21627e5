"""A plan that somebody asks for: diagnosed, weighed and ruled like any other, and approved by somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.access.roles import ROLES, Role
from daemon.door import Door, Inbox
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident
from streams.contracts.records import Command
from tests.kit.control import MODEL, START, Control, event
from tests.unit.loop.test_loop_ends import command, running, slots

QUIET = {"causes": [{"cause": "false_alarm", "probability": 0.9}], "label_state": {"coverage": 0.9, "rows": 9_000}}


def rules_of(ledger: Ledger, incident: Incident) -> list[str]:
    return [record.data["rule"] for record in ledger.trail(incident.id) if record.kind == "incident.moved"]


async def test_it_is_diagnosed_and_waits_for_somebody_else_even_where_the_daemon_may_act(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control, autonomy="act") as (ledger, made, go):
        made.on_command(command("propose_plan", why="the tariff changed"), "operator")
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.state, incident.cause, incident.requester) == ("awaiting_approval", "request", "ann")
        assert rules_of(ledger, incident) == ["diagnosis", "planner_policy", "asked_for"]
        plan = ledger.plan(str(incident.plan_digest))
        assert (plan.action, plan.requester, plan.proposer) == ("search_features_and_retrain", "ann", "policy")
        (opened,) = [one for one in ledger.trail() if one.kind == "incident.opened"]
        assert (opened.actor, opened.data["asked"], opened.data["requester_role"]) == ("person:ann", "", "operator")
        made.on_command(command("approve", "own", plan_digest=incident.plan_digest), "admin")
        await go(1, 1)
        assert ledger.incident(incident.id).state == "awaiting_approval"
        made.on_command(command("approve", "other", by="bob", plan_digest=incident.plan_digest), "approver")
        await go(2, 2)
        assert ledger.incident(incident.id).state == "shadowing"
        assert slots(control)["champion"] == control.champion, "approved isn't promoted: it is judged like any"


async def test_an_action_that_is_asked_for_is_taken_where_nothing_speaks_against_it(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        made.on_command(command("propose_plan", why="w", action="retrain"), "operator")
        await go(0, 0)
        (incident,) = ledger.incidents()
        plan = ledger.plan(str(incident.plan_digest))
        assert (plan.action, plan.proposer, plan.requester) == ("retrain", "requester", "ann")
        told = incident.details["arbitration"]
        assert (told["asked"], told["used"], told["reason"]) == ("requester", "requester", "")
        assert plan.reasons[0].text == "somebody asks for retrain"


@pytest.mark.parametrize(
    ("action", "planning", "reason"),
    [
        ("rollback", {}, "not_possible"), ("restore_archived", {}, "not_possible"),
        ("retrain", {"kill_switch": True}, "not_possible"),
        ("retrain", {"training_minutes_per_30d": 0}, "guardrail_training_budget"),
    ],
)  # fmt: skip
async def test_an_action_that_is_not_possible_or_not_allowed_is_not_taken(
    tmp_path: Path, action: str, planning: dict[str, Any], reason: str
) -> None:
    control = Control(tmp_path)
    async with running(control, **planning) as (ledger, made, go):
        made.on_command(command("propose_plan", why="w", action=action), "operator")
        await go(0, 0)
        (incident,) = ledger.incidents()
        told = incident.details["arbitration"]
        assert (told["used"], told["reason"]) == ("policy", reason)
    assert control.starts() == ["diagnose_drift"]


async def test_where_nothing_is_wrong_nothing_is_planned(tmp_path: Path) -> None:
    control = Control(tmp_path, diagnose_drift=QUIET)
    async with running(control) as (ledger, made, go):
        made.on_command(command("propose_plan", why="w"), "operator")
        await go(0, 0)
        assert ledger.incidents()[0].state == "no_action"


async def test_there_is_one_at_a_time_and_drift_folds_into_it(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        made.on_command(command("propose_plan", "one", why="w"), "operator")
        made.on_command(command("propose_plan", "two", why="w"), "operator")
        made.on_event(event(START))
        await go(0, 0)
        (incident,) = ledger.incidents()
        first, second = ledger.commands(MODEL)
        assert (first.state, second.state) == ("applied", "rejected")
        assert f"{incident.id} is under way" in second.reason
        assert [one.id for one in ledger.events_of(incident.id)] == [event(START).id]


@pytest.mark.parametrize("action", ["promote_submitted", "no_action", "", 7, ["retrain"], {"a": 1}])
async def test_what_can_t_be_asked_for_is_refused(tmp_path: Path, action: object) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        made.on_command(command("propose_plan", why="w", action=action), "admin")
        await go(0, 0)
        assert [order.state for order in ledger.commands(MODEL)] == ["rejected"]
        assert ledger.incidents() == []


@pytest.mark.parametrize("role", ROLES)
async def test_over_the_topic_nobody_asks_in_another_s_name(tmp_path: Path, role: Role) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        door = Door({MODEL: made}, {MODEL: Inbox()}, role)
        asked = Command(id="c1", kind="propose_plan", model=MODEL, by="ann", arguments={"why": "w"})
        door.take_command(msgspec.json.encode(asked))
        door.take_command(msgspec.json.encode(msgspec.structs.replace(asked, id="c2", kind="freeze", arguments={})))
        await go(0, 0)
        first, second = ledger.commands(MODEL)
        assert (first.state, first.role) == ("rejected", "viewer")
        assert "propose_plan needs the role operator" in first.reason
        assert (second.state, second.role) == ("rejected" if role == "viewer" else "applied", role)
        assert ledger.incidents() == []
