"""Where events and commands come in, from the topics or the API: decoded, which is hostile, and handed to the right loop."""

from __future__ import annotations

import asyncio

import msgspec

from daemon.access.roles import PROVEN_ONLY, UNPROVEN, Role
from daemon.loop import Loop
from streams.contracts.errors import ContractError
from streams.contracts.events import decode_event
from streams.contracts.records import Command
from streams.runtime.logging import Log
from streams.runtime.text import safe, unquoted
from streams.runtime.watermark import SOURCE, read_watermark

MONITORING = "monitoring"
log = Log("daemon.door")


class Inbox:
    """What was taken in and a loop has not yet looked at: the newest watermark, and whether something came."""

    def __init__(self) -> None:
        self.watermark_ms = -1
        self.news = asyncio.Event()
        self._awaited_ms = -1

    def expect(self, watermark_ms: int) -> None:
        """Note how far a replay's source goes at once: watermarks before that are passed by on the way there.

        Which of them a loop would find, and act at, would depend on the machine's speed.
        """
        self._awaited_ms = max(self._awaited_ms, watermark_ms)

    def advance(self, watermark_ms: int) -> None:
        """Note a watermark; one that was passed already is delivered again, and no news."""
        if watermark_ms > self.watermark_ms and watermark_ms >= self._awaited_ms:
            self.watermark_ms = watermark_ms
            self.news.set()


class Door:
    """Where the agents and the API knock.

    Args:
        loops: by model.
        inboxes: by model.
        topic_role: what commands of the topic may, whoever they say they are of.
        is_replay: whether a source says how far it goes; live, nobody may.
    """

    def __init__(
        self, loops: dict[str, Loop], inboxes: dict[str, Inbox], topic_role: Role = UNPROVEN, *, is_replay: bool = False
    ) -> None:
        self._loops = loops
        self._inboxes = inboxes
        self._topic_role = topic_role
        self._is_replay = is_replay

    def take_event(self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """Take an event, or the watermark behind all events of its time."""
        watermark = read_watermark(key, headers)
        if watermark is not None:
            self._take_watermark(*watermark)
            return
        try:
            event = decode_event(value or b"", headers)
            is_new = event.model in self._loops and self._loops[event.model].on_event(event)
        except ContractError as error:
            log.warning("EventRefused", reason=unquoted(str(error)))
            return
        if is_new:
            said = {"id": safe(event.id), "kind": safe(event.kind)}
            log.info("EventReceived", **said, transition=event.transition, model=event.model)

    def _take_watermark(self, writer: str, watermark_ms: int) -> None:
        stage, _, model = writer.partition("/")
        inbox = self._inboxes.get(model)
        if inbox is not None and stage == MONITORING:
            inbox.advance(watermark_ms)
        elif inbox is not None and stage == SOURCE and self._is_replay:
            inbox.expect(watermark_ms)

    def take_command(self, value: bytes | None) -> None:
        """Take a command from the topic, where nobody proves who he is."""
        try:
            command = msgspec.json.decode(value or b"", type=Command)
            if command.model in self._loops:
                self.order(command, "viewer" if command.kind in PROVEN_ONLY else self._topic_role)
        except (ContractError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.warning("CommandRefused", reason=unquoted(str(error)))

    def order(self, command: Command, role: Role) -> bool:
        """Take a command for one of the models, with what who gave it may; false when it was known.

        It is applied at once when the model has a watermark.

        Raises:
            ContractError: it can't be kept as it is.
        """
        is_new = self._loops[command.model].on_command(command, role)
        if is_new:
            self._inboxes[command.model].news.set()
        return is_new
