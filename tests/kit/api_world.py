"""A daemon's API over real HTTP on loopback, before a real ledger, with a token for every role."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml

from daemon.access.entries import entry_lines
from daemon.access.roles import ROLES, Role
from daemon.access.secret import new_token
from daemon.api.compose import api_of
from daemon.commands.configuring import load_config
from daemon.door import Door, Inbox
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import State
from daemon.loop import Loop
from daemon.settings import DaemonSettings
from streams.contracts.records import Command
from tests.kit.control import DAY, MODEL, START, Control
from tests.kit.incidents import START_MS, opened, through

MODELS = ("parcels", "letters")
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


class HandClock:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> dt.datetime:
        return NOW + dt.timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


class TakingLoop:
    """As much of a model's loop as takes commands in."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def on_command(self, command: Command, role: Role) -> bool:
        return self._ledger.take_command(command, START_MS, role)


class Answer(NamedTuple):
    status: int
    headers: Any
    body: Any


class ApiWorld:
    """What a test needs of a running API.

    `tokens` are by name: one a role, called as the role; `narrow` is an approver of letters alone, `late` a void admin.
    """

    def __init__(self, folder: Path, settings: DaemonSettings, ledger: Ledger, clock: HandClock, tokens: dict[str, str]) -> None:
        self.folder, self.settings, self.ledger, self.clock, self.tokens = folder, settings, ledger, clock, tokens
        self.config = folder / "driftwake.yaml"
        self.token_file = folder / "tokens.yaml"
        self.url = ""

    def secret(self, name: str) -> Path:
        """A file with somebody's token."""
        file = self.folder / f"{name}.token"
        file.touch(mode=0o600)
        file.write_text(self.tokens[name] + "\n")
        return file

    async def call(
        self, method: str, path: str, who: str | None = None, content: Any = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        """Call; JSON goes as JSON, bytes as they are."""
        sent = {"Authorization": f"Bearer {self.tokens[who]}"} if who is not None else {}
        body = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, data=body, headers=sent | (headers or {}), allow_redirects=False) as answer,
        ):
            text = await answer.read()
            return Answer(answer.status, answer.headers, json.loads(text) if text else None)

    async def raw(self, data: bytes) -> bytes:
        """Write bytes, and read what comes back until the end."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            await writer.drain()
            return await asyncio.wait_for(_all_of(reader), 20)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # the daemon may have left first, with bytes of ours unread
                await writer.wait_closed()

    async def order(self, who: str, kind: str, model: str = "parcels", **arguments: Any) -> Answer:
        return await self.call("POST", "/v1/commands", who, {"kind": kind, "model": model, "arguments": arguments})


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end, or until the other side leaves with bytes of ours unread."""
    read = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65_536):
            read += piece
    return bytes(read)


def write_config(folder: Path, models: Sequence[str] = MODELS, *, database: str | None = None, **access: Any) -> Path:
    schema = {"columns": [{"name": "weight", "kind": "number"}, {"name": "depot", "kind": "category"}]}
    governed = [{"name": name, "schema": schema, "planning": {"autonomy": "act"}} for name in models]
    file = folder / "driftwake.yaml"
    shared = {} if database is None else {"ledger": {"url": database}}
    file.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "models": governed, "access": access} | shared))
    return file


def write_tokens(file: Path, *entries: list[str]) -> None:
    """Write a token file, as somebody would with an editor."""
    file.write_text("tokens:\n" + "".join(f"{line}\n" for lines in entries for line in lines))
    file.chmod(0o640)


def made_tokens(file: Path) -> dict[str, str]:
    """Make the tokens of a world, and the file that lists them."""
    tokens = {name: new_token() for name in (*ROLES, "narrow", "late")}
    entries = [entry_lines(tokens[role], name=role, role=role) for role in ROLES]
    entries.append(entry_lines(tokens["narrow"], name="narrow", role="approver", models=("letters",)))
    entries.append(entry_lines(tokens["late"], name="late", role="admin", expires=NOW))
    write_tokens(file, *entries)
    return tokens


Taking = Callable[[Ledger], "dict[str, Loop]"]


@asynccontextmanager
async def api_running(
    folder: Path,
    *,
    until: State | None = "awaiting_approval",
    local: bool = False,
    loops: Taking | None = None,
    models: Sequence[str] = MODELS,
    database: str | None = None,
    **access: Any,
) -> AsyncIterator[ApiWorld]:
    """Run the API with one incident in the ledger, or none; `local` has no token file, `database` is the URL of its ledger."""
    tokens: dict[str, str] = {}
    if not local:
        tokens = made_tokens(folder / "tokens.yaml")
        access = {"tokens": str(folder / "tokens.yaml")} | access
    settings = load_config(write_config(folder, models, database=database, **access)).settings
    clock, key = HandClock(), settings.audit_key()
    with (
        open_ledger(settings.ledger_place, wall=clock, key=key) as ledger,
        open_ledger(settings.ledger_place, read_only=True, wall=clock, key=key) as reading,
    ):
        if until is not None:
            through(ledger, opened(ledger, "e1", START_MS), until=until)
        taking: Any = {name: TakingLoop(ledger) for name in models} if loops is None else loops(ledger)
        door = Door(taking, {name: Inbox() for name in taking})
        world = ApiWorld(folder, settings, ledger, clock, tokens)
        async with api_of(settings, reading, door.order, "127.0.0.1:9", clock) as service:
            world.url = service.url
            if local:
                tokens["local"] = (settings.folder("keys") / "local.token").read_text().strip()
            yield world


class Decided(NamedTuple):
    """An API before a model's whole control plane, which acts when a day passes."""

    world: ApiWorld
    control: Control
    loop: Loop

    async def day(self, number: int) -> None:
        """Let the stream come to a day."""
        await self.loop.on_watermark(START + number * DAY)

    async def fate(self, answer: Answer) -> tuple[str, str]:
        """What became of an order that was taken: its state, and why."""
        told = (await self.world.call("GET", answer.headers["Location"], "viewer")).body
        return told["state"], told["reason"]


@asynccontextmanager
async def api_deciding(folder: Path, **planning: Any) -> AsyncIterator[Decided]:
    """Run the API of one model that is governed for real; a person is asked first unless `planning` says otherwise."""
    control = Control(folder / "control")
    await control.world.publish(control.first_deployment())
    made: dict[str, Loop] = {}

    def loops(ledger: Ledger) -> dict[str, Loop]:
        made[MODEL] = control.loop(ledger, **({"autonomy": "propose"} | planning))
        return made

    async with api_running(folder, until=None, loops=loops, models=(MODEL,)) as world:
        yield Decided(world, control, made[MODEL])
