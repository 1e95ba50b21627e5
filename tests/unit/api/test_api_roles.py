"""Every role at every endpoint, over HTTP: what it may is answered, what it may not is refused without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daemon.access.entries import entry_lines
from daemon.access.roles import LEAST, ROLES, may, permission_of
from daemon.access.secret import new_token
from daemon.api.commands import ARGUMENTS
from daemon.goals.objective import read
from tests.kit.api_world import Answer, ApiWorld, api_running, write_tokens

DIGEST = "d" * 64
WANTED = {"model": "parcels", "aim": "hold", "metric": "recall", "direction": "higher", "floor": 0.8}
ORDERS: dict[str, dict[str, Any]] = {
    "challenge": {"digest": DIGEST},
    "shadow": {"name": "trial", "digest": DIGEST},
    "canary": {"digest": DIGEST, "weight": 0.5},
    "rollback": {},
    "freeze": {},
    "unfreeze": {},
    "approve": {"plan_digest": DIGEST},
    "refuse": {"plan_digest": DIGEST},
    "propose_plan": {"why": "the tariff changed", "action": "retrain"},
    "propose_goal": {"objective": WANTED, "digest": read(WANTED).digest, "sentence": "recall at least 80 %"},
    "approve_goal": {"digest": DIGEST},
    "retire_goal": {"digest": DIGEST},
    "approve_playbook": {"digest": DIGEST},
    "retire_playbook": {"digest": DIGEST, "reason": "it helped by chance"},
    "challenge, forced": {"digest": DIGEST, "force": "the fix of the outage"},
}
LOOKS = (
    "status", "incidents", "plans", "experiments", "lessons", "goals", "claims", "playbooks", "audit", "audit/links",
    "audit/verify", "commands", "openapi.json",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ApiWorld]:
    async with api_running(tmp_path_factory.mktemp("roles")) as running:
        yield running


def is_mute(answer: Answer) -> bool:
    """Whether a refusal says nothing but that it is one."""
    return set(answer.body) == {"title", "status"} and answer.headers["Content-Type"] == "application/problem+json"


def test_every_route_and_every_order_is_in_the_matrix(world: ApiWorld) -> None:
    assert {one.partition(",")[0] for one in ORDERS} == set(ARGUMENTS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("look", LOOKS)
async def test_every_role_may_look(world: ApiWorld, role: str, look: str) -> None:
    assert (await world.call("GET", f"/v1/{look}", role)).status == 200


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_may_look_at_one_thing(world: ApiWorld, role: str) -> None:
    (incident,) = (await world.call("GET", "/v1/incidents", role)).body["items"]
    (plan,) = (await world.call("GET", "/v1/plans", role)).body["items"]
    assert (await world.call("GET", f"/v1/incidents/{incident['id']}", role)).status == 200
    assert (await world.call("GET", f"/v1/plans/{plan['digest']}", role)).status == 200
    again = await world.call("GET", f"/v1/incidents/{incident['id']}/decision", role)
    assert (again.status, "wasn't recorded by the driftwake of that time" in again.body["detail"]) == (404, True)
    # No broker runs here, which the daemon says; whoever may not is refused before.
    assert (await world.call("GET", "/v1/models/parcels/slots", role)).status == 503


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_is_taken_from_who_may_give_it(world: ApiWorld, role: str, name: str) -> None:
    kind, arguments = name.partition(",")[0], ORDERS[name]
    before = len(world.ledger.commands("parcels"))
    answer = await world.order(role, kind, **arguments)
    orders = world.ledger.commands("parcels")[before:]
    if not may(role, permission_of(kind, arguments)):
        assert answer.status == 403
        assert is_mute(answer)
        assert orders == []
        return
    assert answer.status == 202
    (order,) = orders
    assert (order.command.id, order.command.kind, order.command.by) == (answer.body["id"], kind, role)
    assert (order.command.arguments, order.role, order.state) == (arguments, role, "new")
    assert answer.headers["Location"] == f"/v1/commands/{order.command.id}"
    fate = (await world.call("GET", answer.headers["Location"], "viewer")).body
    assert (fate["state"], fate["by"], fate["role"], fate["arguments"]) == ("new", role, role, arguments)


@pytest.mark.parametrize("role", ROLES)
async def test_tokens_are_listed_for_who_may_know(world: ApiWorld, role: str) -> None:
    answer = await world.call("GET", "/v1/tokens", role)
    if role != LEAST["tokens"]:
        assert answer.status == 403
        assert is_mute(answer)
        return
    assert answer.status == 200
    assert {one["name"]: one["is_void"] for one in answer.body} == dict.fromkeys(ROLES, False) | {"narrow": False, "late": True}
    assert "sha256" not in str(answer.body)


ONE = ("incidents/x", "goals/x", "incidents/x/decision", "plans/x", "commands/x", "models/parcels/slots")
PATHS = [("GET", f"/v1/{look}") for look in (*LOOKS, "tokens", *ONE)]


@pytest.mark.parametrize(
    ("method", "path"), [*PATHS, ("POST", "/v1/commands"), ("GET", "/"), ("GET", "/docs"), ("DELETE", "/v1")]
)
@pytest.mark.parametrize(
    "sent", [None, "Bearer", "Bearer ", "Basic TOKEN", "TOKEN", "Bearer late", "Bearer x", "Bearer TOKEN TOKEN"]
)
async def test_nobody_is_told_anything_without_a_token(world: ApiWorld, method: str, path: str, sent: str | None) -> None:
    headers = {}
    if sent is not None:
        headers["Authorization"] = sent.replace("late", world.tokens["late"]).replace("TOKEN", world.tokens["admin"])
    world.clock.passed += 60  # so that no limit is reached
    answer = await world.call(method, path, content={} if method == "POST" else None, headers=headers)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert is_mute(answer)


async def test_health_takes_no_token_and_tells_nothing(world: ApiWorld) -> None:
    answer = await world.call("GET", "/v1/health")
    assert (answer.status, answer.body) == (200, {"status": "ok"})
    assert (await world.call("POST", "/v1/health", content={})).status == 401


async def test_a_token_for_some_models_sees_nothing_of_others(world: ApiWorld) -> None:
    (incident,) = (await world.call("GET", "/v1/incidents", "viewer")).body["items"]
    (plan,) = (await world.call("GET", "/v1/plans", "viewer")).body["items"]
    command = (await world.order("operator", "freeze")).body["id"]
    for path in ("claims", "playbooks"):
        assert (await world.call("GET", f"/v1/{path}", "narrow")).body == []
        assert (await world.call("GET", f"/v1/{path}?model=parcels", "narrow")).status == 403
    for path in ("incidents", "plans", "experiments", "lessons", "goals", "audit", "commands"):
        assert (await world.call("GET", f"/v1/{path}", "narrow")).body["items"] == []
        refused = await world.call("GET", f"/v1/{path}?model=parcels", "narrow")
        assert refused.status == 403
        assert is_mute(refused)
    story = f"incidents/{incident['id']}"
    for path in (story, f"{story}/decision", f"plans/{plan['digest']}", f"commands/{command}"):
        answer = await world.call("GET", f"/v1/{path}", "narrow")
        assert answer.status == 404
        assert "parcels" not in str(answer.body).replace(incident["id"], "")
    for path in ("models/parcels/slots", "audit/links"):
        assert (await world.call("GET", f"/v1/{path}", "narrow")).status == 403
    assert [one["model"] for one in (await world.call("GET", "/v1/status", "narrow")).body["models"]] == ["letters"]
    assert (await world.order("narrow", "freeze")).status == 403
    assert (await world.order("narrow", "freeze", "nonsense")).status == 403, "which models there are isn't told either"
    assert (await world.order("narrow", "freeze", "letters")).status == 202


@pytest.mark.parametrize("is_shared", [False, True])
async def test_of_other_daemons_models_only_who_has_them_named_or_may_all_sees_anything(
    tmp_path: Path, request: pytest.FixtureRequest, *, is_shared: bool
) -> None:
    """In a ledger of the daemon's own, what it doesn't look after any more is still there for all."""
    database = request.getfixturevalue("postgres").database() if is_shared else None
    async with api_running(tmp_path, until="closed", models=("letters",), database=database) as world:
        world.tokens["guest"] = new_token()
        guest = entry_lines(world.tokens["guest"], name="guest", role="viewer", models=("parcels",))
        write_tokens(world.token_file, *(entry_lines(world.tokens[role], name=role, role=role) for role in ROLES), guest)
        (incident,) = world.ledger.incidents()
        for who in (*ROLES, "guest"):
            is_told = who in {"admin", "guest"} or not is_shared
            for path in ("incidents", "plans", "experiments", "lessons", "audit"):
                answer = await world.call("GET", f"/v1/{path}", who)
                assert (answer.status, bool(answer.body["items"])) == (200, is_told)
            for path in (f"incidents/{incident.id}", f"plans/{incident.plan_digest}"):
                assert (await world.call("GET", f"/v1/{path}", who)).status == (200 if is_told else 404)
            sees_all = who == "admin" or (who != "guest" and not is_shared)
            assert (await world.call("GET", "/v1/audit/links", who)).status == (200 if sees_all else 403)
            assert (await world.order(who, "freeze")).status in {403, 404}, "only its own daemon gives it orders"
