"""What waits for a person, and bundles that come back from the archive: from the event to the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from daemon.errors import LedgerError
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, Move
from daemon.planning.compose import restoring
from daemon.planning.rules import SiteRule
from streams.contracts.schema import Column, ModelSchema
from tests.kit.control import DAY, MODEL, START, Control, bundle, comparison, event
from tests.unit.loop.test_loop_ends import command, running, slots

BUG = {"causes": [{"cause": "serving_bug", "probability": 0.9}], "label_state": {"coverage": 0.9, "rows": 9_000}}
LOST = {"reference": 0.95, "recent": 0.50, "low": 0.46, "high": 0.54}


def rules_of(ledger: Ledger, incident: Incident) -> list[str]:
    return [record.data["rule"] for record in ledger.trail(incident.id) if record.kind == "incident.moved"]


async def test_a_question_waits_for_a_person_who_takes_it_over(tmp_path: Path) -> None:
    control = Control(tmp_path, diagnose_drift=BUG)
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 1)
        (incident,) = ledger.incidents()
        assert (incident.state, incident.details["action"]) == ("awaiting_approval", "ask_person")
        assert incident.waits_until_ms == START + 3 * DAY
        made.on_command(command("approve", plan_digest=incident.plan_digest), "approver")
        await go(2, 2)
        assert ledger.incidents()[0].state == "no_action"
        assert rules_of(ledger, incident)[-1] == "person_took_over"
        assert [approval.state for approval in ledger.approvals(str(incident.plan_digest))] == ["used"]
    assert control.starts() == ["diagnose_drift"], "nothing was done about the model"
    assert len(control.world.history) == 1


@pytest.mark.parametrize(
    ("settings", "orders", "ends"),
    [
        ({}, (), ("expired", "plan_expiry")),
        ({}, ("refuse",), ("refused", "approval")),
        ({"autonomy": "observe"}, (), ("no_action", "autonomy_observe")),
        ({"kill_switch": True}, ("refuse",), ("refused", "approval")),
    ],
)
async def test_a_question_ends_also_otherwise(
    tmp_path: Path, settings: dict[str, Any], orders: tuple[str, ...], ends: tuple[str, str]
) -> None:
    control = Control(tmp_path, diagnose_drift=BUG)
    async with running(control, **settings) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        for kind in orders:
            made.on_command(command(kind, plan_digest=ledger.incidents()[0].plan_digest), "approver")
        await go(1, 4)
        (incident,) = ledger.incidents()
        assert (incident.state, rules_of(ledger, incident)[-1]) == ends
        assert [lesson.action for lesson in ledger.lessons(MODEL)] == ["ask_person"]


async def test_people_are_reminded_once_before_a_plan_expires(tmp_path: Path) -> None:
    control = Control(tmp_path)
    with capture_logs() as said:
        async with running(control, autonomy="propose", remind_before="2d") as (ledger, made, go):
            made.on_event(event(START))
            await go(0, 4)
            (incident,) = ledger.incidents()
            assert "approval_reminder" not in rules_of(ledger, incident)
            await go(5, 6)
            assert rules_of(ledger, incident)[-2:] == ["autonomy_propose", "approval_reminder"]
            assert ledger.incidents()[0].waits_until_ms == START + 7 * DAY
            made.on_command(command("approve", plan_digest=incident.plan_digest), "approver")
            await go(6, 6)
            assert ledger.incidents()[0].state == "shadowing"
    reminders = [one for one in said if one["event"] == "ApprovalReminded"]
    assert [(one["incident"], one["action"], one["plan"]) for one in reminders] == [
        (incident.id, "search_features_and_retrain", incident.plan_digest)
    ]


async def test_a_site_s_rule_asks_first_or_denies_whatever_the_autonomy(tmp_path: Path) -> None:
    ask = SiteRule(id="ask-first", effect="need_approval", causes=("concept_change",))
    control = Control(tmp_path)
    async with running(control, rules=(ask,)) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.state, rules_of(ledger, incident)[-1]) == ("awaiting_approval", "site_rule: ask-first")
        made.on_command(command("approve", plan_digest=incident.plan_digest), "approver")
        await go(1, 1)
        assert ledger.incidents()[0].state == "shadowing"
    other = Control(tmp_path / "two")
    deny = SiteRule(id="never", effect="deny", actions=("search_features_and_retrain",))
    async with running(other, rules=(ask, deny)) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.state, rules_of(ledger, incident)[-1]) == ("refused", "site_rule: never")
    assert other.starts() == ["diagnose_drift"]


def returned(control: Control, digest: str, low: float = 0.3, rows: int = 900) -> None:
    """Have the diagnosis find that an earlier champion is better since a change, by so many labelled rows."""
    file = control.lake / "script.json"
    script = json.loads(file.read_text())
    script["diagnose_drift"] |= {
        "causes": [{"cause": "recurring_regime", "probability": 0.9}], "performance": LOST,
        "change": {"since_ms": START + 22 * DAY, "rows": rows},
        "archived": [{"digest": digest, "value": low + 0.02, "low": low, "high": low + 0.04, "rows": 450}],
    }  # fmt: skip
    file.write_text(json.dumps(script))


async def test_an_earlier_champion_comes_back_judged_and_untrained(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control, promotions_per_30d=9) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 22)
        assert slots(control)["champion"] == control.challenger
        returned(control, control.champion)
        made.on_event(event(START + 31 * DAY, name="again"))
        await go(31, 31)
        incident = ledger.incidents()[-1]
        assert (incident.state, incident.challenger) == ("shadowing", control.champion)
        asked = ledger.step(incident.id, "diagnose_0")
        assert asked is not None
        assert asked.payload["arguments"]["archived"] == [control.champion]
        await go(32, 60)
        assert slots(control) == {"champion": control.champion}
        assert ledger.incidents()[-1].state == "closed"
    assert control.starts().count("train_xgboost") == 1, "the one that it replaces was trained, this one wasn't"


async def test_an_earlier_champion_that_loses_on_the_sealed_half_stays_in_the_archive(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control, promotions_per_30d=9, repeat_after="60d") as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 22)
        returned(control, control.champion)
        script = json.loads((control.lake / "script.json").read_text())
        (control.lake / "script.json").write_text(json.dumps(script | {"compare_models": comparison(-0.1)}))
        made.on_event(event(START + 31 * DAY, name="again"))
        await go(31, 31)
        assert ledger.incidents()[-1].state == "refused"
        made.on_event(event(START + 60 * DAY, name="once more"))
        await go(60, 60)
        assert ledger.incidents()[-1].details["action"] != "restore_archived", "it was tried, and lost"


async def test_an_earlier_champion_that_couldn_t_be_judged_is_tried_again_once_enough_rows_are_new(tmp_path: Path) -> None:
    control = Control(tmp_path)
    no_training = SiteRule(id="no-training", effect="deny", actions=("retrain", "search_features_and_retrain"))
    async with running(control, promotions_per_30d=9) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 22)
        other = control.loop(ledger, promotions_per_30d=9, rules=(no_training,))
        file = control.lake / "script.json"

        async def asked(day: int, rows: int, answer: dict[str, Any]) -> Incident:
            returned(control, control.champion, rows=rows)
            file.write_text(json.dumps(json.loads(file.read_text()) | {"compare_models": answer}))
            other.on_event(event(START + day * DAY, name=f"on day {day}"))
            await other.on_watermark(START + day * DAY)
            return ledger.incidents()[-1]

        first = await asked(31, 300, comparison(0.0, rows=300))
        assert rules_of(ledger, first)[-1] == "sealed_inconclusive"
        (tried,) = ledger.experiments(MODEL, restoring(control.challenger, control.champion))
        assert (tried.rows, tried.lacked, tried.sealed) == (300, 200, (START + 26 * DAY + DAY // 2 - 1, START + 31 * DAY - 2))
        second = await asked(39, 300, comparison(0.05))
        assert second.details["action"] != "restore_archived", "of 300 rows in 17 days some 140 came in the last eight"
        third = await asked(48, 500, comparison(0.05))
        assert (third.details["action"], third.state) == ("restore_archived", "shadowing"), (
            "and of 500 in 26 days 250 in thirteen"
        )


async def test_no_training_on_a_column_that_was_tagged_since(tmp_path: Path) -> None:
    control = Control(tmp_path)
    closed = Column(name="a", kind="number", role="key", tags=("pii",))
    control.places = control.places._replace(schema=ModelSchema(columns=(closed, Column(name="b", kind="number"))))
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.state, rules_of(ledger, incident)[-1]) == ("refused", "tagged_columns")
    assert control.starts() == ["diagnose_drift"]


async def waiting(control: Control, ledger: Ledger) -> Incident:
    """Bring an incident to where it waits for an approval."""
    await control.world.publish(control.first_deployment())
    made = control.loop(ledger, autonomy="propose")
    made.on_event(event(START))
    await made.on_watermark(START)
    (incident,) = ledger.incidents()
    assert incident.state == "awaiting_approval"
    return incident


async def test_an_approval_can_t_be_spent_twice(tmp_path: Path) -> None:
    control = Control(tmp_path)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        incident = await waiting(control, ledger)
        ledger.take_command(command("approve", plan_digest=incident.plan_digest), START)
        ledger.give_approval(command("approve", plan_digest=incident.plan_digest), str(incident.plan_digest), 1 << 60, START)
        used = Move(to="running", reason="r", rule="approval", approval="c-approve-")
        again = Move(to="refused", reason="r", rule="approval", approval="c-approve-")
        moved = ledger.move(incident, used, START + 1)
        head = ledger.head()
        with pytest.raises(LedgerError, match="used before"):
            ledger.move(moved, again, START + 2)
        assert ledger.head() == head, "and nothing of the move is left"


async def test_a_plan_that_was_altered_after_its_approval_is_not_run(tmp_path: Path) -> None:
    control = Control(tmp_path)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        incident = await waiting(control, ledger)
        made = control.loop(ledger, autonomy="propose")
        made.on_command(command("approve", plan_digest=incident.plan_digest), "approver")
        engine = create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        with engine.begin() as connection:
            connection.execute(text("UPDATE plan SET data = replace(data, 'propose_windows', 'compare_models')"))
        engine.dispose()
        with pytest.raises(LedgerError, match="altered"):
            await made.on_watermark(START + DAY)
        assert ledger.incidents()[0].state == "awaiting_approval"
    assert control.starts() == ["diagnose_drift"]


async def test_an_approval_that_has_expired_allows_nothing(tmp_path: Path) -> None:
    control = Control(tmp_path)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        incident = await waiting(control, ledger)
        said = command("approve", plan_digest=incident.plan_digest)
        ledger.take_command(said, START)
        ledger.give_approval(said, str(incident.plan_digest), ledger.wall_ms() - 1, START)
        await control.loop(ledger, autonomy="propose").on_watermark(START + DAY)
        assert ledger.incidents()[0].state == "awaiting_approval"
        assert [approval.state for approval in ledger.approvals(str(incident.plan_digest))] == ["given"]


async def test_who_proposed_or_asked_for_a_plan_can_t_approve_it(tmp_path: Path) -> None:
    control = Control(tmp_path)
    submitted = bundle(control.places.registry / MODEL, "submitted")
    async with running(control, autonomy="propose") as (ledger, made, go):
        made.on_command(command("challenge", digest=submitted))
        await go(0, 0)
        digest = ledger.incidents()[0].plan_digest
        for number, by in enumerate(("ann", "policy")):
            made.on_command(command("approve", str(number), by=by, plan_digest=digest), "approver")
        await go(1, 1)
        assert ledger.incidents()[0].state == "awaiting_approval"
        assert [order.state for order in ledger.commands(MODEL)] == ["applied", "rejected", "rejected"]
        made.on_command(command("approve", "other", by="bob", plan_digest=digest), "approver")
        await go(2, 2)
        assert ledger.incidents()[0].state == "shadowing"
