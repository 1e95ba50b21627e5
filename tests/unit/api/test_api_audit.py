"""The audit over HTTP: every filter, the whole chain, its seals, and a chain that was tampered with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.ledger.audit import Only
from daemon.ledger.canonical import canonical
from daemon.ledger.chain import AuditRecord, examine
from daemon.ledger.export import records_in
from tests.kit.api_world import ApiWorld, api_running
from tests.kit.incidents import HOUR_MS, START_MS
from tests.kit.ledgers import tamper

KEY = "0123456789abcdef" * 4


async def found(world: ApiWorld, path: str = "audit", who: str = "viewer", **query: Any) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await world.call("GET", f"/v1/{path}?{text}", who)
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.body["items"]
    return items


@pytest.mark.parametrize(
    "only",
    [
        Only(actor="planner:policy"), Only(actor="driftwake"), Only(actor="nobody"), Only(kind="incident.moved"),
        Only(subject="e1"),
        Only(model="parcels"), Only(model="letters"), Only(model="of before"), Only(since_ms=START_MS + HOUR_MS),
        Only(until_ms=START_MS + HOUR_MS), Only(since_ms=START_MS + HOUR_MS, until_ms=START_MS + 2 * HOUR_MS),
        Only(since_ms=-5, until_ms=0), Only(kind="incident.moved", actor="planner:policy", model="parcels"),
    ],
)  # fmt: skip
async def test_each_filter_is_the_ledgers_own(tmp_path: Path, only: Only) -> None:
    async with api_running(tmp_path, until="closed") as world:
        expected = [msgspec.to_builtins(one) for one in world.ledger.trail(only=only)]
        asked = {name: value for name, value in only._asdict().items() if value is not None}
        assert await found(world, **asked) == expected
        assert len(expected) < len(world.ledger.trail()) or only.model == "parcels"


async def test_what_belongs_to_an_incident_is_more_than_what_is_about_it(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        (incident,) = world.ledger.incidents()
        belongs = await found(world, incident=incident.id)
        assert belongs == [msgspec.to_builtins(one) for one in world.ledger.trail(only=Only(incident=incident.id))]
        assert {one["kind"] for one in belongs} >= {"incident.opened", "incident.moved", "step.done"}


async def test_who_sees_some_models_sees_their_records_alone_whatever_he_asks(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        await world.order("operator", "freeze", "letters")
        assert {one["model"] for one in await found(world, who="viewer")} == {"parcels", "letters"}
        for query in ({}, {"model": "letters"}, {"actor": "person:operator"}):
            assert {one["model"] for one in await found(world, who="narrow", **query)} == {"letters"}
        assert await found(world, who="narrow", kind="incident.moved") == []


async def test_the_whole_chain_comes_a_page_at_a_time_and_verifies_elsewhere(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        lines, after = [], 0
        while items := await found(world, "audit/links", after=after, limit=3):
            lines += [canonical(msgspec.convert(one, AuditRecord)) + b"\n" for one in items]
            after = items[-1]["number"]
        walked = examine(records_in(lines))
        assert (walked.fault, walked.head) == (None, world.ledger.head())


async def test_a_key_of_the_daemon_checks_the_seals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTWAKE__LEDGER__AUDIT_KEY", f"'{KEY}'")
    async with api_running(tmp_path) as world:
        told = (await world.call("GET", "/v1/audit/verify", "viewer")).body
        assert (told["sealed"], told["unchecked"], told["fault_number"]) == (told["records"], 0, None)
        assert told["records"] > 3
        tamper(str(world.settings.ledger_place), "UPDATE audit SET seal = hash WHERE number = 2")
        told = (await world.call("GET", "/v1/audit/verify", "viewer")).body
        assert (told["records"], told["fault_number"], "forged" in told["problem"]) == (1, 2, True)
        assert KEY not in str(told)


async def test_an_altered_record_is_told_and_given_out_as_it_stands(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world:
        tamper(str(world.settings.ledger_place), "UPDATE audit SET data = 'rm -rf' WHERE number = 2")
        answer = await world.call("GET", "/v1/audit", "viewer")
        assert (answer.status, "record 2 isn't as it was written" in answer.body["detail"]) == (409, True)
        assert (await found(world, "audit/links", limit=2))[-1]["data"] == "rm -rf"
        told = (await world.call("GET", "/v1/audit/verify", "viewer")).body
        assert (told["fault_number"], "altered" in told["problem"]) == (2, True)
