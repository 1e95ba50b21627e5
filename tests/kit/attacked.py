"""An incident played whole by a daemon that strangers write to, and all that left it: what people, models, machines see."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from prometheus_client import generate_latest
from rich.console import Console

from daemon.commands.explaining import story_of
from daemon.commands.screen import Screen
from daemon.commands.telling import tell
from daemon.ledger.audit import AuditRecord, Key
from daemon.ledger.export import lines_of
from daemon.ledger.inbox import Order
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, Plan
from daemon.loop import Loop
from daemon.metrics import DaemonMetrics
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners.base import Office
from daemon.planners.claude import ClaudePlanner
from daemon.report.collect_incidents import incident_report
from daemon.report.html import render
from daemon.report.model import ReplayReport
from daemon.report.terminal import print_report
from streams.contracts.errors import ContractError
from streams.contracts.events import DriftEvent, decode_event
from streams.contracts.records import Command, Deployment
from streams.contracts.schema import ModelSchema
from streams.runtime.clock import SystemClock
from streams.runtime.logging import logging_to
from streams.runtime.telemetry import Telemetry
from tests.kit.claude import SCHEMA
from tests.kit.control import DAY, MODEL, START, Control
from tests.kit.messages_server import MessagesServer, Script

API_KEY: Final = "sk-ant-canary-31c9f2"
BEARER: Final = "token-canary-88d1"
AUDIT_KEY: Final = "5e" * 32
SECRETS: Final = (API_KEY, BEARER, AUDIT_KEY)
"""Nothing that leaves the daemon may hold one of these; they are in its environment and its files."""

VARIABLES: Final = {"ANTHROPIC_API_KEY": API_KEY, "DRIFTWAKE__LEDGER__AUDIT_KEY": AUDIT_KEY, "DRIFTWAKE_TOKEN": BEARER}
CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0001]")
"""What could rewrite a terminal, or hide what a text says."""

_EMPTY: Final = ReplayReport(title="", version="", data="", metric="", start_ms=0, end_ms=0, rows=0, wall_seconds=0.0, slots=())


class Played(NamedTuple):
    """What became of it, and what left the daemon: each outlet's whole text by its name.

    Among the outlets `prompts` are the requests that the model got, and `audit` is the export, whose records are in `records`.
    `refused` says why a record was not taken in.
    """

    incidents: list[Incident]
    plans: list[Plan]
    starts: list[str]
    orders: list[Order]
    history: list[Deployment]
    records: list[AuditRecord]
    refused: list[str]
    folder: Path
    outlets: dict[str, str]

    @property
    def told_plans(self) -> list[dict[str, Any]]:
        """The plans without what hangs on where and about which incident they were made."""
        told = [json.dumps(msgspec.to_builtins(plan)).replace(plan.incident, "inc") for plan in self.plans]
        return [json.loads(one.replace(str(self.folder), "folder")) for one in told]

    @property
    def what_happened(self) -> tuple[list[tuple[str, ...]], list[str], list[tuple[int, str, str]]]:
        """Return the way of each incident, the skills that ran and the deployments: equal where nothing made a difference."""
        ways = [
            (one.state, one.cause, str(one.details.get("action")), *(record.data["rule"] for record in self._moves(one)))
            for one in self.incidents
        ]
        return ways, self.starts, [(one.generation, one.champion, one.reason) for one in self.history]

    def kinds_with(self, is_in: Callable[[str], bool]) -> set[str]:
        """Return the kinds of audit records that something is in."""
        return {one.kind for one in self.records if is_in(json.dumps(msgspec.to_builtins(one), ensure_ascii=False))}

    def _moves(self, incident: Incident) -> Iterator[AuditRecord]:
        return (one for one in self.records if one.kind == "incident.moved" and one.subject == incident.id)


class Daemon:
    """The parts of the daemon that take in what strangers write, over a folder; leaves out the broker.

    Args:
        control: the folder, its lake and its skills.
        ledger: of the model.
        loop: of the model.
        server: who plays Claude.
    """

    def __init__(self, control: Control, ledger: Ledger, loop: Loop, server: MessagesServer) -> None:
        self.control, self.ledger, self.loop, self.server = control, ledger, loop, server
        self.refused: list[str] = []
        self._telemetry = Telemetry([MODEL])
        self._metrics = DaemonMetrics(ledger, self._telemetry, [MODEL])

    def hear(self, event: DriftEvent | bytes) -> None:
        """Take an event in as a record of the topic; one that can't be taken is noted."""
        value = event if isinstance(event, bytes) else as_json(event)
        try:
            self.loop.on_event(decode_event(value, [("ce_specversion", b"1.0"), ("content-type", b"application/json")]))
        except ContractError as error:
            self.refused.append(str(error))

    def order(self, command: Command | bytes) -> None:
        """Take a command in as a record of somebody who may do everything; one that can't be taken is noted."""
        value = command if isinstance(command, bytes) else as_json(command)
        try:
            self.loop.on_command(msgspec.json.decode(value, type=Command), "admin")
        except (ContractError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.refused.append(str(error))

    async def pass_days(self, first: int, last: int) -> None:
        """Let the loop see the watermarks of some days."""
        for day in range(first, last + 1):
            await self.loop.on_watermark(START + day * DAY)

    def played(self) -> Played:
        """Gather what became of everything, and what everybody can see of it; the logs are still being written."""
        ledger = self.ledger
        assert ledger.verify() is None
        incidents = ledger.incidents()
        records = list(ledger.trail(limit=100_000))
        self._metrics.refresh()
        outlets = {
            "prompts": "\n".join(one.raw for one in self.server.seen),
            "audit": b"".join(lines_of(records)).decode(),
            "deployments": _text_of(self.control.folder / "deployments.jsonl"),
            "metrics": generate_latest(self._telemetry.registry).decode(),
            **_pages(ledger, incidents),
        }
        plans = [ledger.plan(one.plan_digest) for one in incidents if one.plan_digest]
        orders = ledger.commands(MODEL)
        history = self.control.world.history
        return Played(
            incidents, plans, self.control.starts(), orders, history, records, self.refused, self.control.folder, outlets
        )


@contextmanager
def logged(folder: Path) -> Iterator[io.StringIO]:
    """Log as the daemon does, everything; the file's lines are added to the console's at the end."""
    console = io.StringIO()
    with logging_to(folder / "logs", "daemon", level="debug", console=console):
        yield console
    console.write(_text_of(folder / "logs" / "daemon.jsonl"))


class Attack(NamedTuple):
    """What strangers write: events, then commands, as records; and what skills answer instead of the usual.

    A function is asked for its command when it is time, with what the ledger knows by then.
    """

    events: Sequence[DriftEvent | bytes] = ()
    commands: Sequence[Command | bytes | Callable[[Ledger], Command]] = ()
    answers: Mapping[str, Any] = MappingProxyType({})
    days: int = 3


async def play(folder: Path, attack: Attack, script: Script = (), *, schema: ModelSchema = SCHEMA, **planning: Any) -> Played:
    """Play what strangers write against a daemon whose planner is Claude, played by a script.

    Args:
        folder: of everything.
        attack: what is written.
        script: what the model answers.
        schema: the registered columns.
        planning: settings.
    """
    control = _control(folder, attack)
    await control.world.publish(control.first_deployment())
    with logged(folder) as console:
        async with MessagesServer(script) as server:
            with open_ledger(folder / "ledger.sqlite", key=Key(bytes.fromhex(AUDIT_KEY))) as ledger:
                config = ClaudeConfig(url=server.url, key_file=folder / "key", retries=0)
                claude = ClaudePlanner(config, Office(MODEL, ledger, schema, SystemClock()))
                loop = control.loop(ledger, thinker=claude, **({"planner": "claude"} | planning))
                daemon = Daemon(control, ledger, loop, server)
                for event in attack.events:
                    daemon.hear(event)
                await daemon.pass_days(0, 0)
                for command in attack.commands:
                    daemon.order(command(ledger) if callable(command) else command)
                await daemon.pass_days(1, attack.days)
                found = daemon.played()
    return found._replace(outlets=found.outlets | {"logs": console.getvalue()})


def _control(folder: Path, attack: Attack) -> Control:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key").write_text(API_KEY)
    return Control(folder, **attack.answers)


def as_json(record: DriftEvent | Command) -> bytes:
    """Write a record as a stranger would, who escapes what UTF-8 can't hold."""
    return json.dumps(msgspec.to_builtins(record)).encode()


def prompts_of(played: Played) -> str:
    """Return what the model was told, without the numbers of its own calls."""
    return re.sub(r"toolu_[0-9]+", "toolu", played.outlets["prompts"])


def leaks(played: Played, needles: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is in which outlet though it may be in none."""
    return [(name, needle) for name, text in played.outlets.items() for needle in needles if needle in text]


def _pages(ledger: Ledger, incidents: Sequence[Incident]) -> dict[str, str]:
    """Show every incident in each of the ways that there are."""
    shown, told = io.StringIO(), io.StringIO()
    for incident in incidents:
        story = story_of(ledger, incident)
        tell(story, Screen(shown))
        Screen(told).data(story)
    rows = [(one.id, one.cause, one.state, one.reason, one.requester) for one in incidents]
    Screen(shown).table(("incident", "cause", "state", "why", "by"), rows)
    lessons = tuple(lesson.text for lesson in ledger.lessons(MODEL, 1_000))
    reports = tuple(incident_report(ledger, one) for one in incidents)
    report = msgspec.structs.replace(_EMPTY, incidents=reports, lessons=lessons)
    terminal = io.StringIO()
    print_report(report, Console(file=terminal, width=200))
    return {
        "explain": shown.getvalue(),
        "explain_json": told.getvalue(),
        "report": render(report),
        "terminal": terminal.getvalue(),
    }


def _text_of(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""
