"""What comes from topics neither stops the ledger nor is kept other than it came, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Move
from streams.contracts.errors import ContractError
from streams.contracts.records import Command
from tests.kit.control import MODEL, START, event

NUL = "a\0b"


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with open_ledger(place) as writer:
        yield writer
        assert writer.verify() is None


@pytest.mark.parametrize(
    "changes",
    [{"id": ""}, {"id": "x" * 129}, {"id": NUL}, {"time_ms": -1}, {"time_ms": 2**70}, {"rows": 2**60}, {"bucket_end_ms": 2**70}],
)
def test_an_event_that_can_t_be_kept_as_it_is_is_refused(ledger: Ledger, changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        ledger.take_event(msgspec.structs.replace(event(START), **changes))
    assert ledger.head().number == 0
    assert ledger.take_event(event(START))


@pytest.mark.parametrize("changes", [{"id": "x" * 129}, {"id": NUL}, {"arguments": {"a": 2**60}}, {"arguments": {"a": 1e999}}])
def test_a_command_that_can_t_be_kept_as_it_is_is_refused(ledger: Ledger, changes: dict[str, Any]) -> None:
    command = Command(id="c", kind="freeze", model=MODEL, by="ann")
    with pytest.raises(ContractError):
        ledger.take_command(msgspec.structs.replace(command, **changes), START)
    assert ledger.take_command(command, START)


def test_texts_that_no_database_holds_are_kept_as_far_as_they_can_be(ledger: Ledger) -> None:
    wicked = msgspec.structs.replace(event(START), detector=NUL, digest=NUL, causation_id=NUL)
    assert ledger.take_event(wicked)
    assert ledger.new_events(MODEL, START) == [wicked]
    command = Command(id="c", kind="freeze", model=MODEL, by=NUL, arguments={NUL: NUL})
    assert ledger.take_command(command, START)
    assert ledger.commands(MODEL)[0].command == command
    incident = ledger.open_for_event(wicked, "performance", NUL, NUL, START)
    step = ledger.lease(MODEL, incident.id, "k", kind="skill", skill="s", owner="o", until_wall_ms=0, now_ms=START)
    failed = ledger.fail(ledger.reserve(step, {NUL: NUL}, START), "crashed", f"{NUL}\udc80", START)
    assert (failed.payload, failed.state) == ({NUL: NUL}, "failed")
    assert ledger.step(incident.id, "k") is not None
    ledger.move(incident, Move(to="failed", reason=f"{NUL}\udc80", rule=NUL), START)
    assert ledger.incident(incident.id).reason == "a\ufffdb?"


def test_ids_of_incidents_and_commands_don_t_meet(ledger: Ledger) -> None:
    ledger.take_event(event(START))
    incident = ledger.open_for_event(event(START), "performance", "champion", "rule", START)
    ledger.take_command(Command(id=incident.id, kind="freeze", model=MODEL, by="mallory"), START)
    assert [one.incident for one in ledger.trail(incident.id)] == [incident.id, ""]
