"""Who may do what, asked in the daemon itself: however an order comes in, its proven role decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.access.roles import ROLES, Role
from daemon.errors import LedgerError
from tests.kit.control import MODEL, START, Control, bundle, event
from tests.unit.loop.test_loop_ends import command, running, slots


@pytest.mark.parametrize("role", ROLES)
async def test_only_an_approver_approves(tmp_path: Path, role: Role) -> None:
    async with running(Control(tmp_path), autonomy="propose") as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        made.on_command(command("approve", plan_digest=ledger.incidents()[0].plan_digest), role)
        await go(1, 1)
        is_allowed = role in {"approver", "admin"}
        assert ledger.incidents()[0].state == ("shadowing" if is_allowed else "awaiting_approval")
        (order,) = ledger.commands(MODEL)
        assert (order.state, order.role) == ("applied" if is_allowed else "rejected", role)
        assert is_allowed or "approve needs the role approver" in order.reason


async def test_what_nobody_proved_neither_approves_nor_forces_nor_lifts_a_freeze(tmp_path: Path) -> None:
    control = Control(tmp_path)
    forced = bundle(control.places.registry / MODEL, "forced")
    async with running(control, autonomy="propose") as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        made.on_command(command("approve", plan_digest=ledger.incidents()[0].plan_digest))
        made.on_command(command("challenge", digest=forced, force="hurry"))
        made.on_command(command("freeze"))
        made.on_command(command("unfreeze"))
        await go(1, 1)
        assert [order.state for order in ledger.commands(MODEL)] == ["rejected", "rejected", "applied", "rejected"]
        assert ledger.frozen_by(MODEL) == "ann"
        assert slots(control) == {"champion": control.champion}


async def test_who_asked_for_a_plan_does_not_approve_it_and_another_does(tmp_path: Path) -> None:
    control = Control(tmp_path)
    submitted = bundle(control.places.registry / MODEL, "submitted")
    async with running(control, autonomy="propose") as (ledger, made, go):
        made.on_command(command("challenge", digest=submitted), "admin")
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.requester, incident.details["requester_role"]) == ("ann", "admin")
        made.on_command(command("approve", "own", plan_digest=incident.plan_digest), "admin")
        await go(1, 1)
        assert ledger.incident(incident.id).state == "awaiting_approval"
        made.on_command(command("approve", "other", by="bob", plan_digest=incident.plan_digest), "approver")
        await go(2, 2)
        assert ledger.incident(incident.id).state != "awaiting_approval"
        made.on_command(command("approve", "again", by="eve", plan_digest=incident.plan_digest), "approver")
        await go(3, 3)
        assert ledger.commands(MODEL)[-1].state == "rejected", "the word was spent"


async def test_a_plan_that_was_altered_after_it_was_approved_never_runs(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control, autonomy="propose") as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        made.on_command(command("approve", plan_digest=ledger.incidents()[0].plan_digest), "approver")
        with ledger._engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS plan_no_update")
            changed = connection.exec_driver_sql("UPDATE plan SET data = replace(data, 'train_xgboost', 'train_anything')")
            assert changed.rowcount == 1
        begun = control.starts()
        with pytest.raises(LedgerError, match="it was altered"):
            await go(1, 1)
        assert control.starts() == begun
