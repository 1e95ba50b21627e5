"""What goes through the door: records read, outputs to write, and what one micro-batch gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from streams.contracts.errors import ContractError

Headers = Sequence[tuple[str, bytes]]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as read. `timestamp_ms` is the broker's append time, not event time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


class Output(msgspec.Struct, frozen=True, gc=False):
    """One record to write. Without a partition the key decides, as every Kafka client's default does (murmur2).

    A null value is a tombstone and needs a key.
    """

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Result(msgspec.Struct):
    """What one micro-batch gives: outputs in order, and what the task's state record says besides positions.

    `rebuild_from` are the offsets from which the task's memory is folded again after a restart, `details` is the stage's
    own plain JSON. Both stand in the next state record and are not carried over from the last one. `consumed` says how many
    of the given records, from the first on, this result is for (at least one; None means all of them): the others are given
    again, with what came behind them, after this result is committed. `committed` is called once the broker has it all: who were
    told any sooner could be told what nobody will ever read.
    """

    outputs: list[Output] = []
    rebuild_from: dict[str, int] = {}
    details: dict[str, Any] = {}
    consumed: int | None = None
    committed: Callable[[], None] | None = None


def position_key(topic: str, partition: int) -> str:
    """Name a partition the way state records do: `topic/partition`."""
    return f"{topic}/{partition}"


def split_position_key(key: str) -> tuple[str, int]:
    """Undo `position_key`.

    Raises:
        ContractError: it isn't of that form.
    """
    topic, _, partition = key.rpartition("/")
    if not topic or not (partition.isascii() and partition.isdigit()):
        raise ContractError(f"position key {key!r} isn't of the form topic/partition")
    return topic, int(partition)


def from_wire(message: Any) -> Record:
    """Turn the client library's record into ours."""
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        tuple(message.headers) if message.headers else (),
        message.timestamp,
    )


def by_topic(positions: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """Read positions keyed `topic/partition` as positions keyed (topic, partition)."""
    return {split_position_key(key): offset for key, offset in positions.items()}
