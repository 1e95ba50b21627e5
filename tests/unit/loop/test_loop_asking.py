"""While Claude is thinking the loop goes on, whatever people and incidents do; its answer is held to what is true by then."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest

from daemon.app import asks_of
from daemon.commands.explaining import story_of
from daemon.commands.screen import Screen
from daemon.commands.telling import tell
from daemon.door import Inbox
from daemon.ledger.calls import RESERVED
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Move
from daemon.planners._claude.caller import CANCELLED
from daemon.planning.asks import Room
from daemon.processes import STOP_SECONDS
from daemon.settings import DaemonSettings
from tests.kit.asked import Asked, asked_daemon
from tests.kit.claude import submitted
from tests.kit.control import DAY, MODEL, START, bundle, event
from tests.kit.messages_server import Held, MessagesServer, Says
from tests.kit.sources import ROOT
from tests.unit.loop.test_loop_ends import command

DATA = "data_quality"


def retrain() -> Held:
    """Claude's plan, when somebody lets it go."""
    return Held(Says([submitted()]))


def outcomes(daemon: Asked) -> list[str]:
    return [call.outcome for call in daemon.calls]


def plans_in(ledger: Ledger) -> int:
    return sum(record.kind == "incident.moved" and record.data["to"] == "planned" for record in ledger.trail())


def champion_of(daemon: Asked) -> str:
    return daemon.control.world.history[-1].champion


def told(daemon: Asked) -> str:
    output = io.StringIO()
    tell(story_of(daemon.ledger, daemon.incident), Screen(output))
    return output.getvalue()


async def test_a_plan_that_comes_late_is_taken_where_nothing_has_changed(tmp_path: Path) -> None:
    held = retrain()
    async with MessagesServer([held]) as server, asked_daemon(tmp_path, server.url) as daemon:
        daemon.tell(event(START))
        await held.reached.wait()
        assert daemon.incident.state == "diagnosed"
        assert outcomes(daemon) == [RESERVED]
        daemon.inbox.advance(START + DAY)
        held.gate.set()
        incident = await daemon.until_is("shadowing")
        assert daemon.ledger.plan(str(incident.plan_digest)).proposer == "claude"
        assert "changed" not in incident.details["arbitration"]
        assert outcomes(daemon) == ["tool_use"]
        assert daemon.ledger.verify() is None


async def test_a_freeze_waits_for_no_language_model(tmp_path: Path) -> None:
    held = retrain()
    async with MessagesServer([held]) as server, asked_daemon(tmp_path, server.url) as daemon:
        daemon.tell(event(START))
        await held.reached.wait()
        daemon.order(command("freeze"), "operator")
        await daemon.until(lambda: daemon.ledger.frozen_by(MODEL))
        assert (daemon.incident.state, outcomes(daemon), daemon.inbox.watermark_ms) == ("diagnosed", [RESERVED], START)
        held.gate.set()
        incident = await daemon.until_is("awaiting_approval")
        weighed = incident.details["arbitration"]
        assert (weighed["used"], weighed["reason"], weighed["changed"]) == ("policy", "not_possible", ["is_frozen"])
        assert weighed["proposals"]["claude"]["action"] == "retrain"
        assert incident.details["action"] == "ask_person"
        assert incident.details["situation"]["is_frozen"], "what was known when it was decided"
        assert "while claude was asked this became different: is_frozen" in told(daemon)
        assert outcomes(daemon) == ["tool_use"]


async def test_an_answer_about_another_champion_is_not_taken(tmp_path: Path) -> None:
    held, brisk = retrain(), {"judging": {"shadow": "1d", "probation": "1d"}, "promotions_per_30d": 9}
    async with MessagesServer([held]) as server, asked_daemon(tmp_path, server.url, **brisk) as daemon:
        trial = bundle(daemon.control.places.registry / MODEL, "trial")
        daemon.order(command("challenge", digest=trial, force="the fix of the outage"))
        daemon.inbox.advance(START)
        await daemon.until_is("probation")
        daemon.inbox.advance(START + 3 * DAY)
        await daemon.until_is("closed")
        daemon.tell(event(START + 11 * DAY))
        await held.reached.wait()
        assert champion_of(daemon) == trial
        daemon.order(command("rollback"), "operator")
        await daemon.until(lambda: champion_of(daemon) == daemon.control.champion)
        assert (daemon.incident.state, outcomes(daemon)) == ("diagnosed", [RESERVED])
        held.gate.set()
        incident = await daemon.until_is("shadowing")
        weighed = incident.details["arbitration"]
        assert (weighed["used"], weighed["reason"], weighed["changed"][0]) == ("policy", "another_champion", "champion")
        plan = daemon.ledger.plan(str(incident.plan_digest))
        assert (plan.proposer, plan.champion) == ("policy", daemon.control.champion)


async def test_evidence_that_comes_meanwhile_is_looked_at(tmp_path: Path) -> None:
    held = retrain()
    async with MessagesServer([held]) as server, asked_daemon(tmp_path, server.url) as daemon:
        daemon.tell(event(START))
        await held.reached.wait()
        daemon.tell(event(START + DAY, name="later"))
        await daemon.until(lambda: len(daemon.ledger.events_of(daemon.incident.id)) == 2)
        held.gate.set()
        incident = await daemon.until_is("shadowing")
        assert incident.details["arbitration"]["changed"] == ["evidence"]
        assert len(incident.details["situation"]["evidence"]) == 2
        plan = daemon.ledger.plan(str(incident.plan_digest))
        assert (plan.proposer, plan.created_ms) == ("claude", START + DAY), "made of the data that there is by now"
        assert len(server.seen) == 1, "nobody asks again"


async def test_other_incidents_go_on_meanwhile(tmp_path: Path) -> None:
    held = retrain()
    async with (
        MessagesServer([Says([submitted()]), held]) as server,
        asked_daemon(tmp_path, server.url, autonomy="propose") as daemon,
    ):
        daemon.tell(event(START))
        waiting = await daemon.until_is("awaiting_approval")
        daemon.tell(event(START + DAY, DATA))
        await held.reached.wait()
        daemon.order(command("approve", by="bob", plan_digest=waiting.plan_digest), "approver")
        await daemon.until(lambda: daemon.ledger.incident(waiting.id).state == "shadowing")
        assert (daemon.incident.cause, daemon.incident.state) == (DATA, "diagnosed")


async def test_nobody_is_asked_any_more_about_an_incident_that_is_over(tmp_path: Path) -> None:
    held = retrain()
    async with MessagesServer([held]) as server, asked_daemon(tmp_path, server.url) as daemon:
        daemon.tell(event(START))
        await held.reached.wait()
        daemon.ledger.move(daemon.incident, Move(to="failed", reason="somebody else moved it", rule="test"), START)
        daemon.inbox.news.set()
        await daemon.until(lambda: outcomes(daemon) == [CANCELLED])
        assert daemon.asks.incidents == frozenset()
        assert daemon.calls[0].dollars > 0.01, "nobody knows what it cost"
        daemon.tell(event(START + 40 * DAY))
        await daemon.until(lambda: len(server.seen) == 2)


async def test_so_many_are_asked_at_once_and_the_others_wait_diagnosed(tmp_path: Path) -> None:
    first, second = retrain(), Held(Says([submitted(action="no_action")]))
    async with MessagesServer([first, second]) as server, asked_daemon(tmp_path, server.url, at_once=1) as daemon:
        daemon.tell(event(START), event(START, DATA))
        await first.reached.wait()
        await daemon.until(lambda: [one.state for one in daemon.incidents] == ["diagnosed", "diagnosed"])
        daemon.order(command("freeze"), "operator")
        await daemon.until(lambda: daemon.ledger.frozen_by(MODEL))
        assert len(daemon.calls) == 1
        first.gate.set()
        async with asyncio.timeout(STOP_SECONDS):
            await second.reached.wait()
        assert len({call.incident for call in daemon.calls}) == 2
        second.gate.set()
        await daemon.until(lambda: outcomes(daemon) == ["tool_use", "tool_use"])


async def test_who_can_t_be_asked_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    async with asked_daemon(tmp_path, "http://127.0.0.1:9", claude={"key_file": None}) as daemon:
        daemon.tell(event(START))
        incident = await daemon.until_is("shadowing")
        assert incident.details["arbitration"]["reason"] == "no_key"


async def test_a_daemon_that_stops_asks_nobody_any_more_and_asks_again_afterwards(tmp_path: Path) -> None:
    held = retrain()
    async with MessagesServer([held, Says([submitted()])]) as server:
        async with asked_daemon(tmp_path, server.url) as daemon:
            daemon.tell(event(START))
            await held.reached.wait()
            async with asyncio.timeout(STOP_SECONDS):
                await daemon.service.stop()
            assert (daemon.incident.state, outcomes(daemon)) == ("diagnosed", [CANCELLED])
            assert daemon.asks.incidents == frozenset()
        async with asked_daemon(tmp_path, server.url) as daemon:
            daemon.inbox.advance(START)
            incident = await daemon.until_is("shadowing")
            assert daemon.ledger.plan(str(incident.plan_digest)).proposer == "claude"
            assert (outcomes(daemon), plans_in(daemon.ledger)) == ([CANCELLED, "tool_use"], 1)
            assert daemon.ledger.verify() is None


@pytest.mark.parametrize("answers", [True, False])
async def test_a_daemon_that_is_killed_while_it_asks_makes_one_plan_in_the_end(tmp_path: Path, *, answers: bool) -> None:
    held = retrain()
    async with MessagesServer([held, *([Says([submitted()])] if answers else [])]) as server:
        life = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.kit.asked_driver", str(tmp_path), server.url, cwd=ROOT
        )
        await held.reached.wait()
        life.kill()
        assert await life.wait() < 0
        with open_ledger(tmp_path / "ledger.sqlite", read_only=True) as ledger:
            (incident,) = ledger.incidents()
            (lost,) = ledger.calls_of(incident.id)
            assert (incident.state, lost.outcome) == ("diagnosed", RESERVED)
        async with asked_daemon(tmp_path, server.url) as daemon:
            daemon.inbox.advance(START)
            incident = await daemon.until_is("shadowing")
            assert daemon.ledger.plan(str(incident.plan_digest)).proposer == ("claude" if answers else "policy")
            assert plans_in(daemon.ledger) == 1
            first, second = daemon.calls
            assert (first.outcome, first.dollars) == (RESERVED, lost.dollars), "it counts as spent"
            assert second.outcome == ("tool_use" if answers else "overloaded")
            assert daemon.ledger.dollars_spent(MODEL, 0) == pytest.approx(lost.dollars + second.dollars)
            assert daemon.ledger.verify() is None


@pytest.mark.parametrize(
    ("model", "is_beside"),
    [
        ({"planning": {"planner": "claude"}}, True),
        ({}, False),
        ({"planning": {"planner": "claude"}, "replay": True}, False),
    ],
)
def test_nobody_is_asked_beside_a_replay_or_where_policy_thinks_alone(model: dict[str, object], is_beside: object) -> None:
    plain = {"name": MODEL, "schema": {"columns": [{"name": "a", "kind": "number"}]}}
    settings = DaemonSettings.model_validate({"models": [plain | model]})
    (one,) = settings.models
    asks = asks_of(one, settings, Room(settings.planners.at_once), Inbox())
    assert (asks is not None) == is_beside == (one.planning_config().planner == "claude")
    assert asks is None or asks.within_s == 600
