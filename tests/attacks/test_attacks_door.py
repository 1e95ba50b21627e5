"""The daemon's own door: whatever comes from the topics, its log repeats no text of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.app import Door, Inbox
from daemon.ledger.ledger import open_ledger
from streams.contracts.events import encode_event
from streams.contracts.records import Command
from tests.kit.attacked import CONTROL, as_json, logged
from tests.kit.control import MODEL, START, Control, event
from tests.kit.poisons import POISONS, UNWRITABLE, is_marked

ALL = POISONS | UNWRITABLE
HEADERS = [("ce_specversion", b"1.0")]
EVENTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "id": lambda text: {"id": text[:128]},
    "kind": lambda text: {"kind": text},
    "transition": lambda text: {"transition": text},
    "model": lambda text: {"model": text},
    "detector": lambda text: {"detector": text},
    "time": lambda text: {"time_ms": text},
    "evidence": lambda text: {"evidence": [{"watched": text}]},
    "a field": lambda text: {text: text},
}
COMMANDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "id": lambda text: {"id": text[:128]},
    "kind": lambda text: {"kind": text},
    "model": lambda text: {"model": text},
    "by": lambda text: {"by": text},
    "arguments": lambda text: {"arguments": text},
    "an argument": lambda text: {"arguments": {text: text}},
}


@pytest.mark.parametrize("name", ALL)
async def test_no_text_of_a_record_is_in_the_log(tmp_path: Path, name: str) -> None:
    text, control = ALL[name], Control(tmp_path)
    await control.world.publish(control.first_deployment())
    with logged(tmp_path) as console, open_ledger(tmp_path / "ledger.sqlite") as ledger:
        loop, inbox = control.loop(ledger), Inbox()
        door = Door({MODEL: loop}, {MODEL: inbox})
        for number, change in enumerate(EVENTS.values()):
            told = msgspec.to_builtins(event(START, name=f"e{number}")) | change(text)
            door.take_event(text.encode(errors="replace"), json.dumps(told).encode(), HEADERS)
        for number, change in enumerate(COMMANDS.values()):
            order = msgspec.to_builtins(Command(id=f"c{number}", kind="approve", model=MODEL, by="ann")) | change(text)
            door.take_command(json.dumps(order).encode())
        door.take_event(None, as_json(event(START)), [("ce_specversion", text.encode(errors="replace"))])
        await loop.on_watermark(START)
        assert inbox.news.is_set() != (name == "surrogate"), "of those commands all are refused"
    logs = console.getvalue()
    for said in ("EventRefused", "CommandRefused", *(["EventReceived"] if name != "surrogate" else [])):
        assert said in logs
    assert not is_marked(logs)
    assert CONTROL.search(logs) is None


def test_what_we_write_ourselves_is_read(tmp_path: Path) -> None:
    """A door that refuses everything would pass, too."""
    control = Control(tmp_path)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        door = Door({MODEL: control.loop(ledger)}, {MODEL: Inbox()})
        door.take_event(*encode_event(event(START)))
        assert [one.id for one in ledger.new_events(MODEL, START)] == [event(START).id]
