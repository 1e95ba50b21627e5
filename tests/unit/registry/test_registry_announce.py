"""Who serves a model elsewhere is told which bundle ought to be served, by a real server on loopback."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.errors import RegistryError
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.registry.announce import Announcer, Notice, Webhook
from streams.contracts.records import Command, Deployment, Slot
from streams.runtime.signing import Signer, Verifier
from tests.kit.control import DAY, MODEL, START, Control, event

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"0123456789abcdef0123456789abcdef"))
NOTICE = Notice(model=MODEL, champion="a" * 64, generation=3, bundle="/b", reason="why", effective_ms=5)


class StillClock:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Told:
    """A listener that says no as often as it should."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.notices: list[Notice] = []
        self.tries = 0

    async def tell(self, notice: Notice) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise RegistryError("down")
        self.notices.append(notice)


@asynccontextmanager
async def server(status: int) -> AsyncIterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    seen: list[tuple[bytes, dict[str, str]]] = []

    async def hear(request: web.Request) -> web.Response:
        seen.append((await request.read(), dict(request.headers)))
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/hook", seen
    finally:
        await runner.cleanup()


async def test_a_notice_is_signed_and_can_be_told_apart() -> None:
    async with server(204) as (url, seen):
        await Webhook(url, SIGNER).tell(NOTICE)
    ((body, headers),) = seen
    assert msgspec.json.decode(body, type=Notice) == NOTICE
    assert headers["Idempotency-Key"] == f"{MODEL}/3"
    signature = base64.b64decode(headers["X-Driftwake-Signature"])
    assert Verifier([SIGNER.public]).holds(body, signature)
    assert not Verifier([SIGNER.public]).holds(body + b" ", signature)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_any_other_status_is_no(status: int) -> None:
    async with server(status) as (url, seen):
        with pytest.raises(RegistryError, match=str(status)):
            await Webhook(url, SIGNER).tell(NOTICE)
    assert len(seen) == 1


async def test_nobody_there_is_no() -> None:
    async with server(204) as (url, _):
        pass
    with pytest.raises(RegistryError, match="webhook"):
        await Webhook(url, SIGNER).tell(NOTICE)


def deployment(generation: int, champion: str) -> Deployment:
    slot = Slot(name="champion", digest=champion)
    return Deployment(model=MODEL, generation=generation, active=(slot,), effective_ms=7, reason="why")


def kinds(ledger: Ledger) -> list[str]:
    return [record.kind for record in ledger.trail()]


async def test_only_another_champion_is_news(tmp_path: Path) -> None:
    told = Told()
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        announcer = Announcer(MODEL, ledger, told, tmp_path)
        for generation, champion in ((1, "a"), (2, "a"), (3, "b"), (4, "a")):
            await announcer.follow(deployment(generation, champion), START)
        assert kinds(ledger) == ["webhook.told"] * 3
    assert [(one.generation, one.champion) for one in told.notices] == [(1, "a"), (3, "b"), (4, "a")]
    assert told.notices[0].bundle == str(tmp_path / MODEL / "a")


async def test_who_says_no_is_told_again_after_growing_pauses_and_noted_once(tmp_path: Path) -> None:
    told, clock = Told(failures=3), StillClock()
    with open_ledger(tmp_path / "ledger.sqlite", wall=clock) as ledger:
        announcer = Announcer(MODEL, ledger, told, tmp_path)
        tries = []
        for _ in range(20):
            await announcer.follow(deployment(1, "a"), START)
            tries.append(told.tries)
            clock.seconds += 0.5
        assert kinds(ledger) == ["webhook.failed", "webhook.told"]
    assert [tries.index(number) for number in (1, 2, 3, 4)] == [0, 2, 6, 14]


@pytest.mark.parametrize("kind", ["promoted", "rolled_back"])
async def test_a_promotion_is_told_and_a_rollback_too(tmp_path: Path, kind: str) -> None:
    control, told = Control(tmp_path), Told()
    await control.world.publish(control.first_deployment())
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        loop = control.loop(ledger, listener=told)
        loop.on_event(event(START))
        for day in range(30):
            await loop.on_watermark(START + day * DAY)
        if kind == "rolled_back":
            loop.on_command(order("rollback"))
            await loop.on_watermark(START + 31 * DAY)
        started = control.starts()
    expected = [control.champion, control.challenger, control.champion]
    assert [one.champion for one in told.notices] == expected[: 2 if kind == "promoted" else 3]
    # Where nobody computes windows none are searched for.
    assert "train_xgboost" in started
    assert "propose_windows" not in started


async def test_a_canary_is_refused_where_others_decide(tmp_path: Path) -> None:
    control = Control(tmp_path)
    await control.world.publish(control.first_deployment())
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        loop = control.loop(ledger, listener=Told())
        loop.on_command(order("canary", digest=control.challenger, weight=0.5))
        await loop.on_watermark(START)
        (rejected,) = ledger.commands(MODEL, "rejected")
    assert "served elsewhere" in rejected.reason


def order(kind: Any, **arguments: Any) -> Command:
    return Command(id=f"c-{kind}", kind=kind, model=MODEL, by="somebody", arguments=arguments)
