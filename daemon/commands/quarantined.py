"""`driftwake quarantine`: what was refused and why, and sending it in again when the reason is gone.

A record that is sent in again goes to its own partition, with its own key and headers and the header `dw_replayed`, which says
where it stood. That it was is written into the quarantine as well, so that nothing goes in twice by mistake.
"""

from __future__ import annotations

import os
import pwd
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec

from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model
from daemon.commands.ordering import broker_address
from daemon.settings import DaemonSettings
from streams.contracts.records import MARKER_HEADER, Rejected
from streams.contracts.topics import topic_name
from streams.runtime.clock import SystemClock
from streams.runtime.durations import Duration
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record, position_key
from streams.transport.scanning import scan

REPLAYED_HEADER = "dw_replayed"
# So many records are written at once, and then noted.
_AT_ONCE = 200


class Wanted(NamedTuple):
    """Which entries: of a model, for a reason, refused within `since` before now, or at these positions; None is any."""

    model: str | None = None
    reason: str | None = None
    since: Duration | None = None
    positions: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """One refused record, and when it was sent in again (epoch ms by the wall), if it was."""

    position: str
    rejected: Rejected
    replayed_ms: int | None = None


class Listed(NamedTuple):
    """The newest entries, how many there are by reason, and how many of them were sent in again."""

    entries: list[Entry]
    reasons: Counter[str]
    replayed: int


class Replayed(NamedTuple):
    """How many records were sent in, and how many weren't: sent in before, kept only in part, or no input of a model's."""

    sent: int
    before: int
    cut: int
    foreign: int


class _Note(msgspec.Struct):
    """What is written into the quarantine when records are sent in again."""

    positions: list[str]
    by: str
    replayed_ms: int


async def listed(settings: DaemonSettings, wanted: Wanted, limit: int) -> Listed:
    """List the newest entries.

    Raises:
        BadInputError: the config has no such model.
        TransportError: the topic can't be read.
    """
    replayed = await _replayed(settings)
    newest: deque[Entry] = deque(maxlen=limit)
    reasons: Counter[str] = Counter()
    again = 0
    async for entry in _entries(settings, wanted, replayed):
        newest.append(entry)
        reasons[entry.rejected.reason] += 1
        again += entry.replayed_ms is not None
    return Listed(list(newest), reasons, again)


async def found(settings: DaemonSettings, position: str) -> Entry:
    """Return the entry of a position, `topic/partition/offset`.

    Raises:
        BadInputError: nothing was refused there, or the quarantine doesn't hold it any more.
        TransportError: the topic can't be read.
    """
    entries = [entry async for entry in _entries(settings, Wanted(positions=(position,)), await _replayed(settings))]
    if not entries:
        raise BadInputError(f"nothing at {position!r} is in quarantine; `driftwake quarantine list` shows what is")
    return entries[-1]


async def replayed(settings: DaemonSettings, wanted: Wanted, *, again: bool, only_count: bool) -> Replayed:
    """Send refused records in again.

    Args:
        settings: the models, whose requests, labels and sources alone are sent in.
        wanted: which.
        again: also those that were sent in before.
        only_count: send nothing.

    Raises:
        BadInputError: the config has no such model, or a position isn't in quarantine.
        TransportError: the topic can't be read, or a record may not have been written.
    """
    inputs = {model.topic(kind) for model in settings.models for kind in ("requests", "labels")}
    inputs |= {source.topic for model in settings.models for source in model.sources.values()}
    done = await _replayed(settings)
    await _check_positions(settings, wanted)
    whats, seen, left = Counter[str](), set[str](), list[Entry]()
    publisher = Publisher(broker_address(settings), "driftwake.quarantine")
    try:
        async for entry in _entries(settings, wanted, done):
            if entry.position in seen:  # a stage that died between two commits may have refused it twice
                continue
            seen.add(entry.position)
            what = _what_to_do(entry, inputs, again=again)
            whats[what] += 1
            if what == "send" and not only_count:
                left.append(entry)
            if len(left) == _AT_ONCE:
                await _send(publisher, left)
                left.clear()
        if left:
            await _send(publisher, left)
    finally:
        await publisher.stop()
    return Replayed(whats["send"], whats["before"], whats["cut"], whats["foreign"])


async def _check_positions(settings: DaemonSettings, wanted: Wanted) -> None:
    """Look for what is asked for by its position, before anything is sent."""
    if wanted.positions:
        seen = {entry.position async for entry in _entries(settings, wanted, {})}
        missing = sorted(set(wanted.positions) - seen)
        if missing:
            raise BadInputError(f"nothing at {', '.join(missing)} is in quarantine; `driftwake quarantine list` shows what is")


def _what_to_do(entry: Entry, inputs: set[str], *, again: bool) -> str:
    if entry.rejected.topic not in inputs:
        return "foreign"
    if entry.rejected.cut:
        return "cut"
    return "before" if entry.replayed_ms is not None and not again else "send"


async def _send(publisher: Publisher, entries: Sequence[Entry]) -> None:
    await publisher.send_many([_original(entry) for entry in entries])
    now_ms = int(SystemClock().now().timestamp() * 1_000)
    note = _Note([entry.position for entry in entries], pwd.getpwuid(os.getuid()).pw_name, now_ms)
    key, headers = entries[0].rejected.model.encode(), ((MARKER_HEADER, b"1"), (REPLAYED_HEADER, b"1"))
    await publisher.send(Output(topic_name("quarantine"), None, key, msgspec.json.encode(note), headers))


def _original(entry: Entry) -> Output:
    one = entry.rejected
    headers = tuple((name, value) for name, value in one.headers if name != REPLAYED_HEADER)
    return Output(one.topic, one.partition, one.key, one.value, (*headers, (REPLAYED_HEADER, entry.position.encode())))


async def _entries(settings: DaemonSettings, wanted: Wanted, replayed: dict[str, int]) -> AsyncIterator[Entry]:
    model = known_model(settings, wanted.model) if wanted.model else None
    since_ms = 0 if wanted.since is None else int(SystemClock().now().timestamp() * 1_000) - wanted.since.ms
    async for record in scan(broker_address(settings), topic_name("quarantine"), since_ms=since_ms):
        entry = None if _is_note(record) else _entry(record, replayed)
        if (
            entry is not None
            and model in (None, entry.rejected.model)
            and wanted.reason in (None, entry.rejected.reason)
            and (not wanted.positions or entry.position in wanted.positions)
        ):
            yield entry


def _entry(record: Record, replayed: dict[str, int]) -> Entry | None:
    try:
        rejected = msgspec.json.decode(record.value or b"", type=Rejected)
    except msgspec.MsgspecError:
        return None  # somebody else's; anybody may write to a topic
    position = f"{position_key(rejected.topic, rejected.partition)}/{rejected.offset}"
    return Entry(position, rejected, replayed.get(position))


async def _replayed(settings: DaemonSettings) -> dict[str, int]:
    """Return when each position was sent in again, the last time."""
    times: dict[str, int] = {}
    async for record in scan(broker_address(settings), topic_name("quarantine")):
        if _is_note(record):
            try:
                note = msgspec.json.decode(record.value or b"", type=_Note)
            except msgspec.MsgspecError:
                continue
            times.update(dict.fromkeys(note.positions, note.replayed_ms))
    return times


def _is_note(record: Record) -> bool:
    return any(name == REPLAYED_HEADER for name, _ in record.headers)
