"""Who waits at the door is told what the log has, what he asked about, and nothing that somebody else makes up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from streams.contracts.errors import TransportError
from streams.dialects.base import Refusal
from streams.serving.door import HEADER, Answer, Asked, BusyError, Door, answer_of
from streams.transport.records import Output, Record
from tests.kit.bundles import SCHEMA, START_MS

COLUMNS: dict[str, float | str | None] = dict.fromkeys(column.name for column in SCHEMA.columns)
ANSWER = Answer(0.5, "d", 1, "champion")


class Log:
    """Takes what is written, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[Output]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    async def write(self, outputs: Sequence[Output]) -> None:
        self.batches.append(list(outputs))
        await self.gate.wait()
        if self.fails:
            raise TransportError("no broker")

    def records(self) -> list[Record]:
        outputs = [output for batch in self.batches for output in batch]
        return [Record(o.topic, o.partition or 0, i, o.key, o.value, tuple(o.headers), 0) for i, o in enumerate(outputs)]


@pytest.fixture
def log() -> Log:
    return Log()


def asked(name: str = "r", key: bytes | None = None) -> Asked:
    return Asked(name, START_MS, COLUMNS, key)


def door_of(log: Log, most: int = 10) -> Door:
    return Door(SCHEMA, "toys.requests", log.write, most)


async def begun(door: Door, *rows: Asked, seconds: float = 30.0) -> asyncio.Task[list[Answer] | Refusal]:
    task = asyncio.get_running_loop().create_task(door.ask(rows, [3, 5], seconds))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_an_answer_finds_who_waits_and_nobody_else(log: Log) -> None:
    door = door_of(log)
    first, second = await begun(door, asked("a")), await begun(door, asked("b"))
    one, other = log.records()
    tickets = [ticket for record in (one, other) if (ticket := door.ticket_of(record)) is not None]
    assert len(tickets) == 2
    copied = msgspec.structs.replace(other, headers=one.headers)
    assert door.ticket_of(copied) is None, "what was asked isn't what this answers"
    assert door.ticket_of(msgspec.structs.replace(one, headers=((HEADER, b"guessed"),))) is None
    door.answer({tickets[0]: ANSWER})
    assert await first == [ANSWER]
    assert not second.done()
    assert door.ticket_of(one) is None, "nobody waits for it any more"
    second.cancel()


async def test_a_key_has_one_partition_and_its_record(log: Log) -> None:
    door = door_of(log)
    tasks = [await begun(door, asked(f"r{number}", b"customer")) for number in range(4)]
    assert len({record.partition for record in log.records()}) == 1
    assert {record.key for record in log.records()} == {b"customer"}
    assert log.records()[0].partition in {3, 5}
    for task in tasks:
        task.cancel()


async def test_what_comes_while_a_batch_is_on_its_way_is_written_together(log: Log) -> None:
    door = door_of(log)
    log.gate.clear()
    tasks = [await begun(door, asked(f"r{number}")) for number in range(5)]
    assert [len(batch) for batch in log.batches] == [1]
    log.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [len(batch) for batch in log.batches] == [1, 4]
    for task in tasks:
        task.cancel()


async def test_too_many_are_sent_away_before_anything_is_written(log: Log) -> None:
    door = door_of(log, most=2)
    waiting = await begun(door, asked("a"), asked("b"))
    with pytest.raises(BusyError):
        await door.ask([asked("c")], [0], 1.0)
    assert len(log.records()) == 2
    waiting.cancel()
    await asyncio.wait([waiting])
    assert len(door) == 0


async def test_a_row_that_can_t_be_used_is_refused_and_nothing_is_written(log: Log) -> None:
    door = door_of(log)
    refusal = await door.ask([asked("fine"), asked("")], [0], 1.0)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "bad_id"
    assert log.batches == []
    assert len(door) == 0


async def test_a_log_that_can_t_be_written_is_said_to_all_of_a_batch(log: Log) -> None:
    door = door_of(log)
    log.gate.clear()
    tasks = [await begun(door, asked(f"r{number}")) for number in range(3)]
    log.fails = True
    log.gate.set()
    done, _ = await asyncio.wait(tasks, timeout=5)
    assert [type(task.exception()) for task in done] == [TransportError] * 3
    assert len(door) == 0


async def test_patience_ends(log: Log) -> None:
    door = door_of(log)
    with pytest.raises(TimeoutError):
        await door.ask([asked()], [0], 0.0)
    assert len(door) == 0


def test_what_is_in_quarantine_is_told_as_such() -> None:
    assert answer_of(None, Refusal("too_large", "text")).refused == "too_large: text"
    assert answer_of(None, None).refused.startswith("not_scored")
