"""A daemon that asks Claude beside its loop: the application's service and door over a folder, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from daemon.access.roles import Role
from daemon.app import LoopService
from daemon.door import Door, Inbox
from daemon.ledger.calls import LlmCall
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident
from daemon.metrics import DaemonMetrics
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners.base import Office
from daemon.planners.claude import ClaudePlanner
from daemon.planning.asks import Asks, Room
from daemon.settings import DaemonSettings
from streams.contracts.events import DriftEvent, encode_event
from streams.contracts.records import Command
from streams.inference.store import BundleStore
from streams.runtime.clock import SystemClock
from streams.runtime.telemetry import Telemetry
from tests.kit.claude import SCHEMA
from tests.kit.control import MODEL, Control
from tests.kit.world import FileWorld

SECONDS = 60.0
"""How long anything here may take."""


class RunningWorld(FileWorld):
    """A data plane in a file that is started and stopped like Kafka's."""

    async def start(self) -> None:
        """Nothing has to be opened."""

    async def stop(self) -> None:
        """Nothing has to be closed."""


class Commits:
    """Wakes who waits until something is on record."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def note(self, change: object) -> None:
        """Observe a commit of the ledger."""
        self._news.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds; looked at after each commit."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                await self._news.wait()
                self._news.clear()


class Asked(NamedTuple):
    """The daemon, and what a test looks at."""

    control: Control
    ledger: Ledger
    door: Door
    inbox: Inbox
    asks: Asks
    service: LoopService
    until: Callable[[Callable[[], object]], Any]

    @property
    def incidents(self) -> list[Incident]:
        return self.ledger.incidents()

    @property
    def incident(self) -> Incident:
        """The newest."""
        return self.incidents[-1]

    @property
    def calls(self) -> list[LlmCall]:
        return [call for one in self.incidents for call in self.ledger.calls_of(one.id)]

    def tell(self, *events: DriftEvent) -> None:
        """Take events in, and the watermark of the last of them."""
        for one in events:
            self.door.take_event(*encode_event(one))
        self.inbox.advance(events[-1].time_ms)

    def order(self, command: Command, role: Role = "admin") -> None:
        self.door.order(command, role)

    async def until_is(self, state: str) -> Incident:
        """Wait until the newest incident is in a state."""
        await self.until(lambda: self.incidents and self.incident.state == state)
        return self.incident


@asynccontextmanager
async def asked_daemon(
    folder: Path, url: str, *, at_once: int = 4, claude: dict[str, Any] | None = None, **loop: Any
) -> AsyncIterator[Asked]:
    """Run a daemon over a folder, once or again, as long as the block.

    Args:
        folder: of the ledger, the key, the data plane and the skills.
        url: of who plays Claude.
        at_once: about how many incidents it is asked.
        claude: settings of the planner.
        loop: of the loop, see `Control.loop`.
    """
    control, commits, inbox = Control(folder), Commits(), Inbox()
    (folder / "key").write_text("sk-test")
    world = RunningWorld(folder / "deployments.jsonl", MODEL)
    if not world.history:
        await world.publish(control.first_deployment())
    schema = {"columns": [{"name": "a", "kind": "number"}]}
    settings = DaemonSettings.model_validate({"models": [{"name": MODEL, "schema": schema}], "data_dir": folder})
    with open_ledger(folder / "ledger.sqlite", observer=commits.note) as ledger:
        config = ClaudeConfig(**{"url": url, "key_file": folder / "key", "retries": 0} | (claude or {}))
        planner = ClaudePlanner(config, Office(MODEL, ledger, SCHEMA, SystemClock()))
        asks = Asks(Room(at_once), inbox.news.set, SECONDS)
        made = control.loop(ledger, world=world, thinker=planner, asks=asks, **({"planner": "claude"} | loop))
        service = LoopService(
            made, world, inbox, settings.models[0], ledger=ledger, store=BundleStore(folder / "registry"),  # type: ignore[arg-type]
            metrics=DaemonMetrics(ledger, Telemetry([MODEL]), [MODEL]), asks=asks,
        )  # fmt: skip
        async with asyncio.timeout(2 * SECONDS), service:
            yield Asked(control, ledger, Door({MODEL: made}, {MODEL: inbox}), inbox, asks, service, commits.until)
        assert service.crash_reason is None, service.crash_reason
