from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.loop import Loop
from streams.contracts.records import Command
from tests.kit.control import DAY, MODEL, START, Control, bundle, comparison, event
from tests.kit.world import FileWorld

Pass = Callable[[int, int], Awaitable[None]]


@asynccontextmanager
async def running(control: Control, **loop: Any) -> AsyncIterator[tuple[Ledger, Loop, Pass]]:
    await control.world.publish(control.first_deployment())
    with open_ledger(control.folder / "ledger.sqlite") as ledger:
        made = control.loop(ledger, **loop)

        async def days(first: int, last: int) -> None:
            for day in range(first, last + 1):
                await made.on_watermark(START + day * DAY)

        yield ledger, made, days
        assert ledger.verify() is None


def slots(control: Control) -> dict[str, str]:
    return {slot.name: slot.digest for slot in control.world.history[-1].active}


def command(kind: str, number: str = "", /, by: str = "ann", **arguments: Any) -> Command:
    return Command(id=f"c-{kind}-{number}", kind=kind, model=MODEL, by=by, arguments=arguments)  # type: ignore[arg-type]


async def end(control: Control, days: int = 45, **loop: Any) -> tuple[str, str, list[str]]:
    """Run one incident; return the state it ended in, the rule, and the lesson's outcome."""
    async with running(control, **loop) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, days)
        (incident,) = ledger.incidents()
        rule = [record.data["rule"] for record in ledger.trail(incident.id) if record.kind == "incident.moved"][-1]
        return incident.state, rule, [lesson.outcome for lesson in ledger.lessons(MODEL)]


async def test_a_challenger_that_loses_on_the_sealed_window_never_scores(tmp_path: Path) -> None:
    control = Control(tmp_path, compare_models=comparison(-0.05))
    assert await end(control) == ("refused", "sealed_fail", ["refused"])
    assert len(control.world.history) == 1


async def test_a_challenger_that_loses_live_is_taken_out(tmp_path: Path) -> None:
    control = Control(tmp_path, live_challenger=comparison(-0.05))
    assert await end(control) == ("refused", "shadow_fail", ["refused"])
    assert slots(control) == {"champion": control.champion}
    assert control.world.history[-1].preparing == ()


async def test_a_champion_that_disappoints_is_rolled_back(tmp_path: Path) -> None:
    control = Control(tmp_path, live_champion=comparison(-0.05))
    assert await end(control) == ("rolled_back", "probation_fail", ["rolled_back"])
    assert slots(control) == {"champion": control.champion}


@pytest.mark.parametrize(
    ("kind", "transition", "of", "state"),
    [
        ("loss_drift", "confirmed", "challenger", "rolled_back"),
        ("performance", "confirmed", "challenger", "rolled_back"),
        ("performance", "confirmed", "champion", "probation"),
        ("serving", "confirmed", "challenger", "probation"),
        ("performance", "suspected", "challenger", "probation"),
        ("feature_drift", "confirmed", "challenger", "probation"),
    ],
)
async def test_an_alarm_about_a_new_champion_is_looked_into_at_once(
    tmp_path: Path, kind: str, transition: str, of: str, state: str
) -> None:
    """What is said of the one that it replaced says nothing of it, and a bug of serving is an incident of its own."""
    control = Control(tmp_path, live_champion=comparison(-0.05))
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        day = 0
        while not ledger.incidents() or ledger.incidents()[0].state != "probation":
            await go(day, day)
            day += 1
        made.on_event(event(START + day * DAY, kind, transition, name="alarm", digest=getattr(control, of)))
        await go(day, day + 1)
        assert ledger.incidents()[0].state == state
        await go(day + 2, day + 40)
        assert ledger.incidents()[0].state == "rolled_back", "with or without an alarm, in the end"


async def test_what_serving_refuses_is_refused_with_its_reason(tmp_path: Path) -> None:
    control = Control(tmp_path)
    control.world = FileWorld(tmp_path / "d.jsonl", MODEL, refuses={control.challenger: "three extra inputs"})
    assert await end(control) == ("refused", "serving_refused", ["refused"])
    assert slots(control) == {"champion": control.champion}
    assert control.world.history[-1].preparing == ()


async def test_a_skill_that_fails_ends_the_incident_not_the_daemon(tmp_path: Path) -> None:
    assert await end(Control(tmp_path, train_xgboost="diverged")) == ("failed", "run_failed: diverged", ["failed"])
    other = Control(tmp_path / "two", diagnose_drift={"causes": "all of them"})
    assert await end(other) == ("failed", "run_failed: bad_answer", ["failed"])


async def test_broken_data_is_reported_and_nothing_is_trained(tmp_path: Path) -> None:
    told = {"causes": [{"cause": "upstream_data_break", "probability": 0.9}], "label_state": {"coverage": 0.0, "rows": 0}}
    control = Control(tmp_path, diagnose_drift=told)
    assert await end(control) == ("no_action", "alert_upstream", ["no_action"])
    assert control.starts() == ["diagnose_drift"]


async def test_labels_are_waited_for_and_asked_about_again(tmp_path: Path) -> None:
    told = {"causes": [{"cause": "concept_change", "probability": 0.9}], "label_state": {"coverage": 0.1, "rows": 9}}
    control = Control(tmp_path, diagnose_drift=told)
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 8)
        (incident,) = ledger.incidents()
        assert (incident.state, incident.waits_until_ms) == ("open", START + 9 * DAY)
        await go(9, 9)
        assert ledger.incident(incident.id).state == "no_action"
    assert control.starts() == ["diagnose_drift"] * 4


async def test_nothing_is_read_before_the_archive_is_there(tmp_path: Path) -> None:
    control = Control(tmp_path)
    control.world.archived_ms = START - 1
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        assert ledger.incidents()[0].state == "open"
        control.world.archived_ms = START
        await made.on_watermark(START)
        assert ledger.incidents()[0].state == "shadowing"


async def test_observing_only_says_what_would_be_done(tmp_path: Path) -> None:
    control = Control(tmp_path)
    assert await end(control, autonomy="observe") == ("no_action", "autonomy_observe", ["no_action"])
    assert control.starts() == ["diagnose_drift"]


async def test_a_proposal_waits_for_another_person_once(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control, autonomy="propose") as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 1)
        (incident,) = ledger.incidents()
        assert incident.state == "awaiting_approval"
        made.on_command(command("approve", "self", by="policy", plan_digest=incident.plan_digest), "approver")
        made.on_command(command("approve", "other", plan_digest="0" * 64), "approver")
        await go(2, 2)
        assert ledger.incident(incident.id).state == "awaiting_approval"
        made.on_command(command("approve", "good", plan_digest=incident.plan_digest), "approver")
        await go(3, 3)
        assert ledger.incident(incident.id).state == "shadowing"
        assert [approval.state for approval in ledger.approvals(str(incident.plan_digest))] == ["used"]
        assert [order.state for order in ledger.commands(MODEL)] == ["rejected", "rejected", "applied"]


async def test_a_proposal_is_refused_or_expires(tmp_path: Path) -> None:
    control = Control(tmp_path)
    assert await end(control, autonomy="propose") == ("expired", "plan_expiry", ["expired"])
    other = Control(tmp_path / "two")
    async with running(other, autonomy="propose") as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        made.on_command(command("refuse", plan_digest=ledger.incidents()[0].plan_digest), "approver")
        await go(1, 1)
        assert ledger.incidents()[0].state == "refused"


async def test_a_freeze_holds_the_swap_back_until_it_is_lifted(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 2)
        made.on_command(command("freeze"))
        await go(3, 12)
        assert ledger.incidents()[0].state == "promoting"
        assert slots(control)["champion"] == control.champion
        made.on_command(command("unfreeze"), "approver")
        await go(13, 14)
        assert ledger.incidents()[0].state == "probation"
        assert slots(control)["champion"] == control.challenger


async def test_a_second_promotion_has_to_wait_for_the_budget(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 24)
        made.on_event(event(START + 30 * DAY, name="again"))
        await go(25, 30)
        first, second = ledger.incidents()
        assert (first.state, second.state) == ("closed", "awaiting_approval"), "whether to make an exception is a person's to say"
        assert "promotion budget" in second.details["excluded"]["retrain"]
        promotions = [one for one in control.world.history if one.reason.startswith("promote")]
        assert len(promotions) == 1


async def test_a_rollback_command_ends_the_probation(tmp_path: Path) -> None:
    control = Control(tmp_path)
    async with running(control) as (ledger, made, go):
        made.on_command(command("rollback", "early"))
        made.on_event(event(START))
        await go(0, 10)
        made.on_command(command("rollback"))
        made.on_command(command("rollback"))
        await go(11, 12)
        assert ledger.incidents()[0].state == "rolled_back"
        assert slots(control) == {"champion": control.champion}
        assert [order.state for order in ledger.commands(MODEL)] == ["rejected", "applied"]
        assert len(ledger.lessons(MODEL)) == 1


async def test_shadows_of_people_come_go_and_outlive_a_promotion(tmp_path: Path) -> None:
    control = Control(tmp_path)
    monthly = bundle(control.places.registry / MODEL, "monthly")
    async with running(control) as (ledger, made, go):
        made.on_command(command("shadow", "in", name="monthly", digest=monthly))
        for name in ("challenger", "champion", "../x", ""):
            made.on_command(command("shadow", f"bad{name}", name=name, digest=monthly))
        made.on_event(event(START))
        await go(0, 30)
        assert slots(control) == {"champion": control.challenger, "monthly": monthly}
        made.on_command(command("shadow", "out", name="monthly", digest=None))
        await go(31, 31)
        assert slots(control) == {"champion": control.challenger}
        assert [order.state for order in ledger.commands(MODEL)] == ["applied", *["rejected"] * 4, "applied"]


async def test_a_canary_of_people_keeps_its_keys_and_ends_with_the_champion_it_was_against(tmp_path: Path) -> None:
    control = Control(tmp_path)
    trial = bundle(control.places.registry / MODEL, "trial")
    async with running(control) as (ledger, made, go):
        made.on_command(command("canary", "in", digest=trial, weight=0.1))
        await go(0, 0)
        first = control.world.history[-1].canary
        made.on_command(command("canary", "more", digest=trial, weight=0.5))
        await go(1, 1)
        second = control.world.history[-1].canary
        assert first is not None
        assert second is not None
        assert (first.digest, first.weight, second.weight) == (trial, 0.1, 0.5)
        assert first.salt == second.salt
        made.on_event(event(START))
        await go(1, 30)
        assert slots(control) == {"champion": control.challenger}
        assert control.world.history[-1].canary is None
        assert [order.state for order in ledger.commands(MODEL)] == ["applied"] * 2


async def test_a_canary_ends_also_in_a_freeze_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    control = Control(tmp_path)
    trial = bundle(control.places.registry / MODEL, "trial")
    async with running(control) as (ledger, made, go):
        made.on_command(command("canary", "in", digest=trial, weight=0.1))
        await go(0, 0)
        for number, weight in enumerate((0, 1.5, "all", None)):
            made.on_command(command("canary", f"bad{number}", digest=trial, weight=weight))
        made.on_command(command("canary", "unknown", digest="e" * 64, weight=0.1))
        made.on_command(command("canary", "champion", digest=control.champion, weight=0.1))
        made.on_command(command("freeze"))
        made.on_command(command("canary", "frozen", digest=trial, weight=0.2))
        made.on_command(command("canary", "out"))
        await go(1, 1)
        assert control.world.history[-1].canary is None
        expected = ["applied", *["rejected"] * 6, "applied", "rejected", "applied"]
        assert [order.state for order in ledger.commands(MODEL)] == expected


async def test_a_submitted_challenger_is_only_judged(tmp_path: Path) -> None:
    control = Control(tmp_path, compare_models=comparison(-0.1))
    submitted = bundle(control.places.registry / MODEL, "submitted")
    async with running(control) as (ledger, made, go):
        made.on_command(command("challenge", digest=submitted))
        made.on_command(command("challenge", "nothing", digest="e" * 64))
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.state, incident.requester, incident.challenger) == ("refused", "ann", submitted)
        assert control.starts() == ["build_dataset", "compare_models"]
        assert [order.state for order in ledger.commands(MODEL)] == ["applied", "rejected"]


async def test_a_forced_bundle_serves_unjudged_and_is_rolled_back_when_it_is_worse(tmp_path: Path) -> None:
    control = Control(tmp_path, live_champion=comparison(-0.05))
    forced = bundle(control.places.registry / MODEL, "forced")
    async with running(control, promotions_per_30d=0) as (ledger, made, go):
        made.on_command(command("challenge", "unexplained", digest=forced, force=" "), "admin")
        made.on_command(command("challenge", digest=forced, force="the fix of the outage"), "admin")
        await go(0, 0)
        (incident,) = ledger.incidents()
        assert (incident.state, incident.requester) == ("probation", "ann")
        assert slots(control) == {"champion": forced, "previous": control.champion}
        assert control.world.history[-1].effective_ms == START
        assert control.starts() == [], "nobody judged it"
        assert [record.data["rule"] for record in ledger.trail(incident.id) if record.kind == "incident.moved"][-2:] == [
            "forced",
            "promote_what_was_forced",
        ]
        assert [order.state for order in ledger.commands(MODEL)] == ["rejected", "applied"]
        assert "the fix of the outage" in str(ledger.trail("c-challenge-"))
        await go(1, 20)
        assert (ledger.incident(incident.id).state, slots(control)) == ("rolled_back", {"champion": control.champion})


async def test_a_forced_bundle_that_serving_refuses_never_serves(tmp_path: Path) -> None:
    control = Control(tmp_path)
    forced = bundle(control.places.registry / MODEL, "forced")
    control.world = FileWorld(tmp_path / "deployments.jsonl", MODEL, refuses={forced: "not an ONNX model"})
    async with running(control) as (ledger, made, go):
        made.on_command(command("challenge", digest=forced, force="hurry"), "admin")
        await go(0, 0)
        assert (ledger.incidents()[0].state, slots(control)) == ("refused", {"champion": control.champion})
        assert "not an ONNX model" in ledger.incidents()[0].reason


@pytest.mark.parametrize(
    ("settings", "state"), [({"kill_switch": True}, "refused"), ({"autonomy": "propose"}, "awaiting_approval")]
)
async def test_a_kill_switch_and_a_missing_approval_stop_a_forced_bundle_too(
    tmp_path: Path, settings: dict[str, Any], state: str
) -> None:
    control = Control(tmp_path)
    forced = bundle(control.places.registry / MODEL, "forced")
    async with running(control, **settings) as (ledger, made, go):
        made.on_command(command("challenge", digest=forced, force="hurry"), "admin")
        await go(0, 0)
        assert (ledger.incidents()[0].state, slots(control)) == (state, {"champion": control.champion})


async def test_a_submitted_challenger_waits_while_another_holds_the_slots(tmp_path: Path) -> None:
    control = Control(tmp_path)
    submitted = bundle(control.places.registry / MODEL, "submitted")
    async with running(control, plan_expiry="60d", promotions_per_30d=2) as (ledger, made, go):
        made.on_event(event(START))
        await go(0, 0)
        made.on_command(command("challenge", digest=submitted))
        await go(1, 20)
        assert [one.state for one in ledger.incidents()] == ["probation", "planned"]
        await go(21, 60)
        assert [one.state for one in ledger.incidents()] == ["closed", "closed"]
        assert slots(control) == {"champion": submitted}


async def test_two_replays_write_the_same_ids_in_the_same_order(tmp_path: Path) -> None:
    trails = []
    for name in ("one", "two"):
        control = Control(tmp_path / "run")
        async with running(control) as (ledger, made, go):
            made.on_event(event(START))
            await go(0, 30)
            trails.append([(one.time_ms, one.kind, one.subject, one.data.get("to")) for one in ledger.trail()])
        (tmp_path / "run").rename(tmp_path / name)
    assert trails[0] == trails[1]


async def test_too_few_outcomes_are_waited_for_not_failed_on(tmp_path: Path) -> None:
    control = Control(tmp_path, live_challenger="no_data")
    assert await end(control) == ("refused", "shadow_inconclusive", ["refused"])
    other = Control(tmp_path / "two", diagnose_drift="no_data")
    assert await end(other) == ("no_action", "no_action", ["no_action"])
    assert other.starts() == ["diagnose_drift"] * 4


async def test_before_the_first_champion_time_passes_and_nothing_is_done(tmp_path: Path) -> None:
    control = Control(tmp_path)
    with open_ledger(control.folder / "ledger.sqlite") as ledger:
        made = control.loop(ledger)
        made.on_event(event(START))
        made.on_command(command("freeze"))
        await made.on_watermark(START)
        assert list(ledger.incidents()) == []
        assert [order.state for order in ledger.commands(MODEL)] == ["new"]
    assert control.world.history == []
