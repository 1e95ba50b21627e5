"""Approvals and goals over HTTP before a whole control plane: each way in which a word must not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import LedgerError
from daemon.goals.objective import read
from daemon.ledger.records import Incident
from tests.kit.api_world import Answer, Decided, api_deciding
from tests.kit.control import DAY, MODEL, START, bundle, event

EXPIRY_SECONDS = 3 * 86_400
WANTED = {"model": MODEL, "aim": "hold", "metric": "recall", "direction": "higher", "floor": 0.8}
DIGEST = read(WANTED).digest


async def waiting(place: Decided) -> Incident:
    """Let drift open an incident, whose plan waits for a person."""
    place.loop.on_event(event(START))
    await place.day(0)
    (incident,) = place.world.ledger.incidents()
    assert incident.state == "awaiting_approval"
    return incident


async def speak(place: Decided, who: str, incident: Incident, kind: str = "approve") -> Answer:
    return await place.world.order(who, kind, MODEL, plan_digest=incident.plan_digest)


def state(place: Decided, incident: Incident) -> str:
    return place.world.ledger.incident(incident.id).state


async def test_a_word_runs_the_plan_once_and_is_spent(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        first, second = await speak(place, "approver", incident), await speak(place, "admin", incident)
        assert (first.status, second.status) == (202, 202)
        await place.day(1)
        assert state(place, incident) == "shadowing"
        assert [await place.fate(one) for one in (first, second)] == [("applied", "approve given")] * 2
        (plan,) = (await place.world.call("GET", "/v1/plans", "viewer")).body["items"]
        words = {one["state"]: one["by"] for one in plan["approvals"]}
        assert (set(words), set(words.values())) == ({"used", "given"}, {"approver", "admin"})
        again = await speak(place, "approver", incident)
        await place.day(2)
        assert await place.fate(again) == ("rejected", "no plan of that digest waits for approval")
        assert place.control.starts().count("train_xgboost") == 1
        (told,) = [one for one in place.world.ledger.trail() if one.data.get("to") == "running"]
        assert (told.actor, told.incident) == (f"person:{words['used']}", incident.id)


async def test_a_refusal_ends_it_whoever_approves(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        words = [await speak(place, "admin", incident), await speak(place, "approver", incident, "refuse")]
        await place.day(1)
        assert [(await place.fate(one))[0] for one in words] == ["applied", "applied"]
        assert state(place, incident) == "refused"
        assert place.control.starts() == ["diagnose_drift"]


async def test_a_word_that_has_expired_allows_nothing_and_may_be_given_again(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        old = await speak(place, "approver", incident)
        place.world.clock.passed += EXPIRY_SECONDS
        await place.day(1)
        assert await place.fate(old) == ("rejected", "the word expired before the stream went on")
        assert state(place, incident) == "awaiting_approval"
        assert place.world.ledger.approvals(str(incident.plan_digest)) == []
        fresh = await speak(place, "approver", incident)
        place.world.clock.passed += EXPIRY_SECONDS - 1
        await place.day(2)
        assert (await place.fate(fresh))[0] == "applied"
        assert state(place, incident) == "shadowing"


async def test_a_word_expires_while_another_plan_holds_the_slots(tmp_path: Path) -> None:
    async with api_deciding(tmp_path, plan_expiry="60d", promotions_per_30d=9) as place:
        for name in ("one", "two"):
            digest = bundle(place.control.places.registry / MODEL, name)
            await place.world.order("operator", "challenge", MODEL, digest=digest)
        await place.day(0)
        first, second = place.world.ledger.incidents()
        for incident in (first, second):
            await speak(place, "approver", incident)
        await place.day(1)
        assert (state(place, first), state(place, second)) == ("shadowing", "awaiting_approval")
        place.world.clock.passed += EXPIRY_SECONDS
        for number in range(2, 27):
            await place.day(number)
        assert (state(place, first), state(place, second)) == ("closed", "awaiting_approval")
        assert [one.state for one in place.world.ledger.approvals(str(second.plan_digest))] == ["given"]
        await speak(place, "approver", second)
        await place.day(27)
        assert state(place, second) == "shadowing"


async def test_a_plan_that_was_altered_after_it_was_approved_never_runs(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        await speak(place, "approver", incident)
        with place.world.ledger._engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS plan_no_update")
            changed = connection.exec_driver_sql("UPDATE plan SET data = replace(data, 'train_xgboost', 'train_anything')")
            assert changed.rowcount == 1
        with pytest.raises(LedgerError, match="it was altered"):
            await place.day(1)
        assert state(place, incident) == "awaiting_approval"
        (plan,) = (await place.world.call("GET", "/v1/plans", "viewer")).body["items"]
        assert plan["altered"] is True
        assert place.control.starts() == ["diagnose_drift"]


async def test_who_asked_for_a_plan_can_t_approve_the_playbook_made_of_it(tmp_path: Path) -> None:
    brisk: dict[str, Any] = {"playbook_successes": 1, "judging": {"shadow": "1d", "probation": "1d"}}
    async with api_deciding(tmp_path, **brisk) as place:
        await place.world.order("admin", "propose_plan", MODEL, why="the tariff changed")
        await place.day(0)
        (incident,) = place.world.ledger.incidents()
        await speak(place, "approver", incident)
        for number in range(1, 6):
            await place.day(number)
        assert (incident.requester, state(place, incident)) == ("admin", "closed")
        (playbook,) = (await place.world.call("GET", "/v1/playbooks", "viewer")).body
        assert (playbook["state"], playbook["supported_by"]) == ("proposed", [incident.id])
        words = [
            await place.world.order(who, "approve_playbook", MODEL, digest=playbook["digest"]) for who in ("admin", "approver")
        ]
        await place.day(6)
        assert await place.fate(words[0]) == ("rejected", "who asked for a plan can't approve the playbook made of it")
        assert (await place.fate(words[1]))[0] == "applied"


async def test_a_word_for_another_plan_is_none_for_this_one(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        other = await place.world.order("approver", "approve", MODEL, plan_digest="0" * 64)
        await place.day(1)
        assert await place.fate(other) == ("rejected", "no plan of that digest waits for approval")
        assert state(place, incident) == "awaiting_approval"


@pytest.mark.parametrize("who", ["approver", "admin"])
async def test_who_asked_for_a_plan_can_t_approve_it_whatever_the_role(tmp_path: Path, who: str) -> None:
    async with api_deciding(tmp_path) as place:
        submitted = bundle(place.control.places.registry / MODEL, "submitted")
        await place.world.order(who, "challenge", MODEL, digest=submitted)
        await place.day(0)
        (incident,) = place.world.ledger.incidents()
        assert (incident.requester, incident.details["requester_role"]) == (who, who)
        own = await speak(place, who, incident)
        await place.day(1)
        assert await place.fate(own) == ("rejected", "who proposed or asked for a plan can't approve it")
        assert state(place, incident) == "awaiting_approval"
        await speak(place, "admin" if who == "approver" else "approver", incident)
        await place.day(2)
        assert state(place, incident) == "shadowing"


@pytest.mark.parametrize("who", ["viewer", "operator", "narrow"])
@pytest.mark.parametrize("kind", ["approve", "refuse"])
async def test_a_lower_role_or_one_for_another_model_says_nothing(tmp_path: Path, who: str, kind: str) -> None:
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        before = place.world.ledger.head()
        assert (await speak(place, who, incident, kind)).status == 403
        assert place.world.ledger.head() == before
        await place.day(1)
        assert state(place, incident) == "awaiting_approval"


async def test_a_role_that_was_lost_before_the_order_was_given_gives_none(tmp_path: Path) -> None:
    """A token that is void by now gives no order; what was ordered while it was good stands, in its name."""
    async with api_deciding(tmp_path) as place:
        incident = await waiting(place)
        given = await speak(place, "approver", incident)
        place.world.token_file.write_text("tokens: []\n")
        assert (await speak(place, "admin", incident)).status == 401
        await place.day(1)
        assert given.status == 202
        assert state(place, incident) == "shadowing"


async def ask(place: Decided, who: str) -> Answer:
    return await place.world.order(who, "propose_goal", MODEL, objective=WANTED, digest=DIGEST, sentence="recall at least 80 %")


async def goals(place: Decided, query: str = "", who: str = "viewer") -> list[tuple[str, str, str]]:
    found: list[dict[str, Any]] = (await place.world.call("GET", f"/v1/goals{query}", who)).body["items"]
    return [(one["state"], one["proposed_by"], one["approved_by"]) for one in found]


async def test_a_goal_goes_its_way_by_role(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        order = place.world.order
        assert (await ask(place, "viewer")).status == 403
        assert (await ask(place, "operator")).status == 202
        await place.day(0)
        assert await goals(place) == [("proposed", "operator", "")]
        for who in ("viewer", "operator", "narrow"):
            for kind in ("approve_goal", "retire_goal"):
                assert (await order(who, kind, MODEL, digest=DIGEST)).status == 403
        assert (await order("approver", "approve_goal", MODEL, digest=DIGEST)).status == 202
        await place.day(1)
        assert await goals(place, "?state=approved") == [("approved", "operator", "approver")]
        assert await goals(place, "?state=proposed") == []
        assert await goals(place, who="narrow") == []
        await order("admin", "retire_goal", MODEL, digest=DIGEST)
        await place.day(2)
        assert await goals(place, f"?model={MODEL}") == [("retired", "operator", "approver")]
        told = [(one.kind, one.actor) for one in place.world.ledger.trail() if one.kind.startswith("goal.")]
        assert told == [
            ("goal.proposed", "person:operator"), ("goal.approved", "person:approver"), ("goal.retired", "person:admin"),
        ]  # fmt: skip


async def test_one_goal_tells_how_it_stands_to_who_sees_its_model(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        await ask(place, "operator")
        await place.day(0)
        await place.world.order("approver", "approve_goal", MODEL, digest=DIGEST)
        (goal,) = place.world.ledger.goals()
        value = {"value": 0.9, "low": 0.85, "high": 0.95}
        reached = {"goal": goal.id, "rows": 300, "floor": 0.8, "champion": value, "challenger": value}
        script = place.control.lake / "script.json"
        script.write_text(json.dumps(json.loads(script.read_text()) | {"live_champion": {"goals": [reached]}}))
        await place.day(1)
        for name in (goal.id, DIGEST):
            told = (await place.world.call("GET", f"/v1/goals/{name}", "viewer")).body
            assert (told["id"], told["state"], told["sentence"]) == (goal.id, "approved", "recall at least 80 %")
            assert told["champion"] == {
                "time_ms": START + DAY, "where": "by_itself", "rows": 300, "level": 0.95,
                "value": {"digest": place.control.champion, "measured": value, "standing": "met"},
            }  # fmt: skip
            assert [one["challenger"] for one in told["comparisons"]] == [None]
        for who, name in (("narrow", goal.id), ("viewer", "nothing"), ("viewer", DIGEST[:12])):
            answer = await place.world.call("GET", f"/v1/goals/{name}", who)
            assert (answer.status, "no goal of this id or digest" in answer.body["detail"]) == (404, True)


async def test_who_asked_for_a_goal_can_t_approve_it_whatever_the_role(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        await ask(place, "admin")
        own = await place.world.order("admin", "approve_goal", MODEL, digest=DIGEST)
        twice = await ask(place, "approver")
        await place.day(0)
        assert await place.fate(own) == ("rejected", "who asked for a goal can't approve it")
        state, reason = await place.fate(twice)
        assert (state, "proposed already" in reason) == ("rejected", True)
        assert await goals(place) == [("proposed", "admin", "")]


async def test_goals_come_a_page_at_a_time(tmp_path: Path) -> None:
    async with api_deciding(tmp_path) as place:
        for number, floor in enumerate((0.7, 0.8, 0.9)):
            wanted = WANTED | {"floor": floor}
            arguments = {"objective": wanted, "digest": read(wanted).digest}
            await place.world.order("operator", "propose_goal", MODEL, **arguments)
            await place.day(number)
        first = (await place.world.call("GET", "/v1/goals?limit=2", "viewer")).body
        rest = (await place.world.call("GET", f"/v1/goals?limit=2&after={first['after']}", "viewer")).body
        floors = [one["objective"]["floor"] for one in (*first["items"], *rest["items"])]
        assert (floors, rest["after"]) == ([0.7, 0.8, 0.9], None)
