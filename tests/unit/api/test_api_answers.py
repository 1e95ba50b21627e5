"""What the API answers, and that it stays within bounds."""

from __future__ import annotations

import asyncio
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.access.address import ADDRESS_FILE, read_address
from daemon.access.entries import entry_lines
from daemon.access.secret import new_token
from daemon.api import guard, routes
from daemon.api.problems import Problem
from daemon.api.reading import ReadingRoom
from daemon.commands.explaining import story_of
from daemon.ledger.ledger import open_ledger
from streams.contracts.errors import StreamsError
from tests.kit.api_world import api_running, write_tokens
from tests.kit.incidents import START_MS, opened

DAY_MS = 86_400_000


async def test_an_incident_is_told_as_the_command_line_tells_it(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        (incident,) = world.ledger.incidents()
        story = msgspec.to_builtins(story_of(world.ledger, incident))
        for name in (incident.id, incident.id[-8:]):
            assert (await world.call("GET", f"/v1/incidents/{name}", "viewer")).body == msgspec.json.decode(
                msgspec.json.encode(story)
            )
        answer = await world.call("GET", "/v1/incidents/nothing", "viewer")
        assert (answer.status, answer.body["title"]) == (404, "Not Found")
        assert "no incident 'nothing'; `driftwake incidents` lists 1" in answer.body["detail"]


async def test_lists_are_filtered_and_paged(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        for number in range(5):
            opened(world.ledger, f"more{number}", START_MS + (number + 1) * DAY_MS)
        everything = [one.id for one in world.ledger.incidents()]
        seen: list[str] = []
        after: Any = ""
        while after is not None:
            query = f"?limit=2&after={after}" if after else "?limit=2"
            page = (await world.call("GET", f"/v1/incidents{query}", "viewer")).body
            assert len(page["items"]) <= 2
            seen += [one["id"] for one in page["items"]]
            after = page["after"]
        assert seen == everything

        async def ids(query: str) -> list[str]:
            return [one["id"] for one in (await world.call("GET", f"/v1/incidents{query}", "viewer")).body["items"]]

        assert await ids("?open=true") == everything[1:]
        assert await ids("?state=closed") == everything[:1]
        assert await ids("?model=letters") == []
        assert await ids("?model=parcels&state=open&limit=1") == everything[1:2]


async def test_the_audit_is_read_by_number_subject_and_kind(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        (incident,) = world.ledger.incidents()

        async def numbers(query: str) -> list[int]:
            return [one["number"] for one in (await world.call("GET", f"/v1/audit{query}", "viewer")).body["items"]]

        trail = world.ledger.trail()
        assert await numbers("") == [one.number for one in trail]
        assert await numbers("?after=3&limit=2") == [4, 5]
        assert await numbers(f"?subject={incident.id}") == [one.number for one in trail if one.subject == incident.id]
        assert await numbers("?kind=incident.opened") == [one.number for one in trail if one.kind == "incident.opened"]
        first = (await world.call("GET", "/v1/audit?limit=1", "viewer")).body["items"][0]
        assert first == msgspec.json.decode(msgspec.json.encode(trail[0]))
        found = (await world.call("GET", "/v1/audit/verify", "viewer")).body
        head = world.ledger.head()
        whole = {"records": head.number, "head": f"{head.number}:{head.hash}", "sealed": 0, "unchecked": 0}
        assert found == whole | {"fault_number": None, "problem": ""}
        missing = (await world.call("GET", f"/v1/audit/verify?anchor={head.number + 1}:{'0' * 64}", "viewer")).body
        assert (missing["fault_number"], "missing" in missing["problem"]) == (head.number + 1, True)
        assert (await world.call("GET", "/v1/audit/verify?anchor=7", "viewer")).status == 404


async def test_plans_experiments_and_lessons_are_shown(tmp_path: Path) -> None:
    async with api_running(tmp_path, until="closed") as world:
        (incident,) = world.ledger.incidents()
        (plan,) = (await world.call("GET", "/v1/plans", "viewer")).body["items"]
        assert (plan["digest"], plan["altered"], plan["state"]) == (incident.plan_digest, False, "closed")
        assert (await world.call("GET", f"/v1/plans/{plan['digest']}", "viewer")).body == plan
        assert (await world.call("GET", "/v1/plans?state=open", "viewer")).body["items"] == []
        (tried,) = (await world.call("GET", "/v1/experiments", "viewer")).body["items"]
        assert (tried["incident"], tried["configuration"], tried["outcome"]) == (incident.id, "x", "closed")
        (lesson,) = (await world.call("GET", "/v1/lessons?model=parcels", "viewer")).body["items"]
        assert (lesson["incident"], lesson["numbers"]) == (incident.id, {"gain": 0.042})


async def test_a_plan_that_was_altered_is_marked(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world:
        with world.ledger._engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS plan_no_update")
            connection.exec_driver_sql("UPDATE plan SET data = replace(data, '\"retrain\"', '\"rollback\"')")
        (plan,) = (await world.call("GET", "/v1/plans", "viewer")).body["items"]
        assert plan["altered"] is True


async def test_an_answer_that_is_too_large_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api_running(tmp_path) as world:
        monkeypatch.setattr(routes, "MOST_ANSWER_BYTES", 2_000)
        answer = await world.call("GET", "/v1/audit", "viewer")
        assert (answer.status, "ask for fewer with `limit`" in answer.body["detail"]) == (422, True)
        assert (await world.call("GET", "/v1/audit?limit=1", "viewer")).status == 200


async def test_a_token_is_void_at_once_when_its_entry_goes(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world:
        assert (await world.call("GET", "/v1/status", "admin")).status == 200
        write_tokens(world.token_file, entry_lines(world.tokens["viewer"], name="viewer", role="viewer"))
        assert (await world.call("GET", "/v1/status", "admin")).status == 401
        assert (await world.order("operator", "freeze")).status == 401
        assert (await world.call("GET", "/v1/status", "viewer")).status == 200
        world.token_file.chmod(0o666)
        answer = await world.call("GET", "/v1/status", "viewer")
        assert (answer.status, "the daemon's log says why" in answer.body["detail"]) == (503, True)
        assert str(tmp_path) not in answer.body["detail"]


async def test_tokens_that_are_nobodys_are_limited_and_good_ones_are_not(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world:
        world.tokens["stranger"] = new_token()
        statuses = [(await world.call("GET", "/v1/status", "stranger")).status for _ in range(22)]
        assert statuses == [401] * 20 + [429] * 2
        answer = await world.call("GET", "/v1/status", "stranger")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "61")
        assert (await world.call("GET", "/v1/status", "viewer")).status == 200, "nobody locks others out"
        assert (await world.call("GET", "/v1/status")).status == 401, "no token at all is no guess"
        world.clock.passed += 60
        assert (await world.call("GET", "/v1/status", "stranger")).status == 401


async def test_the_address_is_there_while_it_listens(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world:
        file = world.settings.data_dir / ADDRESS_FILE
        assert read_address(world.settings.data_dir) == world.url
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        url = world.url
    assert not file.exists()
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_a_port_that_is_taken_says_what_to_do(tmp_path: Path) -> None:
    async with api_running(tmp_path) as world:
        port = int(world.url.rpartition(":")[2])
        (tmp_path / "two").mkdir()
        other = api_running(tmp_path / "two", port=port)
        with pytest.raises(StreamsError, match=r"choose another `access.port`, or 0"):
            await other.__aenter__()


async def test_so_many_questions_are_read_at_once_and_no_more_wait(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        room, go = ReadingRoom(ledger, at_once=2, most=3), threading.Event()
        reading = 0

        def slow(_: object) -> int:
            nonlocal reading
            reading += 1
            go.wait(20)
            return reading

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(room.ask(slow)) for _ in range(3)]
            while reading < 2:  # noqa: ASYNC110 - a thread rings no bell
                await asyncio.sleep(0.01)
            with pytest.raises(Problem, match="too many questions wait") as refused:
                await room.ask(slow)
            assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
            assert reading == 2
            go.set()
        assert [task.result() > 0 for task in tasks] == [True] * 3
        assert await room.ask(lambda one: one.head().number) == 0
        room.close()


async def test_a_defect_is_told_without_a_word_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret place")

    async with api_running(tmp_path) as world:
        monkeypatch.setattr(routes, "status_of", broken)
        answer = await world.call("GET", "/v1/status", "viewer")
        assert answer.status == 500
        assert "secret" not in str(answer.body)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_body_that_never_comes_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_BODY_SECONDS", 0.2)
    async with api_running(tmp_path) as world:
        head = (
            f"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {world.tokens['admin']}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert (await world.raw(head.encode())).startswith(b"HTTP/1.1 408 ")
