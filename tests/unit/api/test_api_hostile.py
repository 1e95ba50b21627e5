"""Hostile calls: each is refused in words that say why, none is a defect, and none leaves a trace in the ledger."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from daemon.api.guard import MOST_BYTES
from daemon.goals.objective import read
from streams.contracts.errors import ContractError
from streams.runtime.logging import logging_to
from tests.kit.api_world import ApiWorld, api_running

GOOD = {"kind": "freeze", "model": "parcels", "arguments": {}}
WANTED = {"model": "parcels", "aim": "hold", "metric": "recall", "direction": "higher", "floor": 0.8}
DEEP = b'{"kind": "freeze", "model": "parcels", "arguments": {"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}"
SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ApiWorld]:
    folder = tmp_path_factory.mktemp("hostile")
    with logging_to(folder / "logs", "test"):
        async with api_running(folder, hosts=["driftwake.example"]) as running:
            yield running
    assert "CallFailed" not in (folder / "logs" / "test.jsonl").read_text()


def order(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def wish(*, of: Any = WANTED, **changes: Any) -> bytes:
    """A goal that is proposed under its own digest, if it is one."""
    try:
        digest = read(of).digest
    except ContractError:
        digest = "d" * 64
    return order(kind="propose_goal", arguments={"objective": of, "digest": digest} | changes)


def nested(depth: int) -> bytes:
    inside = b'{"a": ' * depth + b"1" + b"}" * depth
    return wish(objective="HERE").replace(b'"HERE"', inside)


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no JSON": (b"{not json", 400),
    "no UTF-8": (b'{"kind": "\xff\xfe"}', 400),
    "a list": (b"[]", 400),
    "null": (b"null", 400),
    "a number that is endless": (b'{"kind": "freeze", "model": 1e999, "arguments": {}}', 400),
    "deep": (DEEP, 400),
    "huge": (order(model="p" * MOST_BYTES), 413),
    "an unknown kind": (order(kind="drop_tables"), 400),
    "a kind that is long": (order(kind="x" * 10_000), 400),
    "a kind that is none": (order(kind=["freeze"]), 400),
    "an unknown model": (order(model="nonsense"), 404),
    "a model with a line": (order(model="parcels\n"), 404),
    "a model that ends in nothing": (order(model="parcels\x00"), 404),
    "a name that somebody gives himself": (order(by="ann"), 400),
    "a role that somebody gives himself": (order(role="admin"), 400),
    "an id that somebody chooses": (order(id="cmd-1"), 400),
    "arguments that are none": (order(arguments=[]), 400),
    "arguments that it doesn't take": (order(arguments={"digest": "d" * 64}), 400),
    "no digest": (order(kind="challenge"), 400),
    "a digest with a line": (order(kind="challenge", arguments={"digest": "d" * 64 + "\n"}), 400),
    "a digest that is a path": (order(kind="challenge", arguments={"digest": "../../../etc/passwd"}), 400),
    "force without a word": (order(kind="challenge", arguments={"digest": "d" * 64, "force": ""}), 400),
    "force with a colour": (order(kind="challenge", arguments={"digest": "d" * 64, "force": "\x1b[31mred"}), 400),
    "force with half a letter": (order(kind="challenge", arguments={"digest": "d" * 64, "force": "\ud800"}), 400),
    "force with a book": (order(kind="challenge", arguments={"digest": "d" * 64, "force": "x" * 501}), 400),
    "a slot that is ours by a trick": (order(kind="shadow", arguments={"name": "champion\n"}), 400),
    "a weight above all": (order(kind="canary", arguments={"digest": "d" * 64, "weight": 1.01}), 400),
    "a weight of nothing": (order(kind="canary", arguments={"digest": "d" * 64, "weight": 0}), 400),
    "a weight that is no number": (order(kind="canary", arguments={"digest": "d" * 64, "weight": "1"}), 400),
    "a weight without a digest": (order(kind="canary", arguments={"weight": 0.5}), 400),
    "a digest without a weight": (order(kind="canary", arguments={"digest": "d" * 64}), 400),
    "a plan without a reason": (order(kind="propose_plan"), 400),
    "a plan of what nobody does": (order(kind="propose_plan", arguments={"why": "w", "action": "promote_submitted"}), 400),
    "a plan of steps": (order(kind="propose_plan", arguments={"why": "w", "steps": ["rm"]}), 400),
    "a plan for somebody else": (order(kind="propose_plan", arguments={"why": "w", "requester": "ann"}), 400),
    "a reason that is red": (order(kind="propose_plan", arguments={"why": "\x1b[31mw"}), 400),
    "a goal without an objective": (order(kind="propose_goal", arguments={"digest": "d" * 64}), 400),
    "an objective that is a text": (wish(of="recall"), 400),
    "an objective of nothing": (wish(of={}), 400),
    "an objective with more in it": (wish(of=WANTED | {"approved_by": "ann"}), 400),
    "an objective of another model": (wish(of=WANTED | {"model": "letters"}), 400),
    "an objective that its digest isn't of": (wish(digest="d" * 64), 400),
    "an objective that nothing measures": (wish(of=WANTED | {"metric": "happiness"}), 400),
    "a floor that can't be": (wish(of=WANTED | {"floor": 80}), 400),
    "a floor without end": (wish(of=WANTED).replace(b"0.8", b"1e999"), 400),
    "a floor of a thousand digits": (wish(of=WANTED).replace(b"0.8", b"9" * 1_000), 400),
    "a cohort that is a list": (wish(of=WANTED | {"cohort": ["depot"]}), 400),
    "a cohort that isn't declared": (wish(of=WANTED | {"cohort": {"name": ["ann"]}}), 400),
    "a cohort with a colour": (wish(of=WANTED | {"cohort": {"depot": ["\x1b[31mred"]}}), 400),
    "a cohort with half a letter": (wish(of=WANTED | {"cohort": {"depot": ["\ud800"]}}), 400),
    "a cohort of thousands": (wish(of=WANTED | {"cohort": {"depot": [str(one) for one in range(5_000)]}}), 400),
    "an objective that is deep": (nested(300), 400),
    "an objective that is deeper": (nested(980), 400),
    "a sentence with a colour": (wish(sentence="\x1b[31mrecall"), 400),
    "a sentence that is a book": (wish(sentence="x" * 501), 400),
    "a sentence that is none": (wish(sentence=["x"]), 400),
    "part of a goal's digest": (order(kind="approve_goal", arguments={"digest": "d" * 12}), 400),
    "no goal's digest": (order(kind="retire_goal"), 400),
    "a goal's digest and more": (order(kind="approve_goal", arguments={"digest": "d" * 64, "by": "ann"}), 400),
    "a plan's digest for a goal": (order(kind="approve_goal", arguments={"plan_digest": "d" * 64}), 400),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_order_is_refused(world: ApiWorld, name: str) -> None:
    body, status = BODIES[name]
    before = world.ledger.head()
    answer = await world.call("POST", "/v1/commands", "admin", body)
    assert answer.status == status, answer.body
    assert answer.body["detail"]
    assert len(answer.body["detail"]) <= 2_000
    assert not any(ord(one) < 32 for one in answer.body["detail"])
    assert world.ledger.head() == before


async def test_a_good_order_is_taken(world: ApiWorld) -> None:
    assert (await world.call("POST", "/v1/commands", "admin", order())).status == 202
    assert (await world.call("POST", "/v1/commands", "admin", wish())).status == 202


@pytest.mark.parametrize(
    "kind",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json-seq", "text/json"],
)
async def test_what_is_not_called_json_is_refused(world: ApiWorld, kind: str | None) -> None:
    head = [b"POST /v1/commands HTTP/1.1", b"Host: localhost", b"Connection: close", f"Content-Length: {len(order())}".encode()]
    head += [f"Authorization: Bearer {world.tokens['admin']}".encode()]
    head += [] if kind is None else [f"Content-Type: {kind}".encode()]
    answer = await world.raw(b"\r\n".join(head) + b"\r\n\r\n" + order())
    assert answer.startswith(b"HTTP/1.1 415 ")


async def test_json_with_a_charset_is_json(world: ApiWorld) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await world.call("POST", "/v1/commands", "admin", order(), headers=headers)).status == 202


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:9", "[0:0:0:0:0:0:0:1]", "driftwake.example", "driftwake.example.:443"],
)
async def test_it_answers_to_its_names(world: ApiWorld, host: str) -> None:
    assert (await world.call("GET", "/v1/health", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2", "[::2]", "[::1", "localhost:x",
     "localhost@evil.example", "xdriftwake.example", "driftwake.example/", "", " "],
)  # fmt: skip
async def test_a_name_that_is_not_its_own_is_refused_whoever_asks(world: ApiWorld, host: str) -> None:
    for path, who in (("/v1/health", None), ("/v1/status", "admin")):
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        head += f"Authorization: Bearer {world.tokens[who]}\r\n" if who else ""
        answer = await world.raw(head.encode() + b"\r\n")
        assert answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), answer


async def test_two_hosts_and_two_tokens_are_none(world: ApiWorld) -> None:
    token = f"Authorization: Bearer {world.tokens['admin']}\r\n"
    two = await world.raw(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert two.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 "))
    twice = await world.raw(f"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}{token}\r\n".encode())
    assert twice.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "path",
    ["/v1/../v1/status", "/v1//status", "//v1/status", "/v1/status/", "/v1/%2e%2e/status",
     "/v1/incidents/..%2f..%2f..%2fetc%2fpasswd",
     "/v1/incidents/%00", "/v1/incidents/%ff%fe", "/v1/models/..%2fparcels/slots", "/v1/plans/%0d%0aX-Evil:1", "/V1/STATUS",
     "/v1/status;x=1", "/v1/commands/" + "x" * 5_000, "/v1/health/x", "/v1/status%2f"],
)  # fmt: skip
async def test_path_tricks_find_nothing(world: ApiWorld, path: str) -> None:
    head = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {world.tokens['viewer']}\r\n\r\n"
    )
    answer = await world.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 404 "), answer[:200]
    assert b"\r\nX-Evil" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "path", ["/v1/health/", "/v1/health/../status", "//v1/health", "/v1/health%2f..%2fstatus", "/v1/health;/../status"]
)
async def test_no_way_leads_around_the_token(world: ApiWorld, path: str) -> None:
    answer = await world.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1e3", "after=-1", "after=99999999999999999999", "model=%00", "model=",
     "subject=a%0ab", "subject=" + "x" * 201, "kind=%1b[2J", "actor=", "incident=%00", "since_ms=yesterday", "until_ms=1e5",
     "since_ms=-99999999999999999999"],
)  # fmt: skip
async def test_queries_out_of_bounds_say_which(world: ApiWorld, query: str) -> None:
    answer = await world.call("GET", f"/v1/audit?{query}", "viewer")
    assert (answer.status, f"query.{query.partition('=')[0]}" in answer.body["detail"]) == (400, True)


async def test_text_in_a_query_is_a_value_and_nothing_else(world: ApiWorld) -> None:
    for text in ("'; DROP TABLE audit; --", "%", "_", "x' OR '1'='1"):
        for name in ("subject", "incident", "model", "actor", "kind"):
            answer = await world.call("GET", f"/v1/audit?{name}={text.replace('%', '%25').replace(' ', '+')}", "viewer")
            assert (answer.status, answer.body["items"]) == (200, [])
    assert world.ledger.verify() is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"])
async def test_other_methods_do_nothing_and_no_page_elsewhere_is_let_in(world: ApiWorld, method: str) -> None:
    head = (
        f"{method} /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {world.tokens['admin']}\r\n"
        "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    )
    answer = await world.raw(head.encode())
    assert answer.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 404 ")), answer[:200]
    assert b"access-control" not in answer.lower()


@pytest.mark.parametrize("path", ["/v1/health", "/v1/status", "/v1/nothing", "/v1/audit?limit=x"])
@pytest.mark.parametrize("who", [None, "viewer"])
async def test_every_answer_has_the_headers_that_keep_browsers_out(world: ApiWorld, path: str, who: str | None) -> None:
    answer = await world.call("GET", path, who, headers={"Origin": "https://evil.example"})
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "Server" not in answer.headers


async def test_a_body_in_pieces_is_bounded_too(world: ApiWorld) -> None:
    head = (
        f"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {world.tokens['admin']}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    before = world.ledger.head()
    # Who leaves while bytes are on their way may take the answer with it.
    assert (await world.raw(head.encode() + piece * 4))[:13] in {b"HTTP/1.1 413 ", b""}
    assert world.ledger.head() == before
    whole = f"{len(order()):x}\r\n".encode() + order() + b"\r\n0\r\n\r\n"
    assert (await world.raw(head.replace("Host", "Connection: close\r\nHost").encode() + whole)).startswith(b"HTTP/1.1 202 ")


async def test_a_length_that_is_none_is_refused(world: ApiWorld) -> None:
    for length in ("-1", "x", "9" * 30, "1, 2"):
        head = f"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {world.tokens['admin']}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        answer = await world.raw(head.encode() + order())
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), answer[:100]


async def test_headers_without_end_are_refused(world: ApiWorld) -> None:
    answer = await world.raw(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 400_000)
    assert answer[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b""}, answer[:100]


async def test_junk_is_no_defect(world: ApiWorld) -> None:
    for junk in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        assert (await world.raw(junk)).startswith((b"HTTP/1.1 400 ", b""))
    assert (await world.call("GET", "/v1/health")).status == 200
