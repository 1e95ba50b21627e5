"""What alarms a history would have raised, and how soon changes that are put into it would have been found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.reading import Tell
from streams.calibration.changes import Change, menu
from streams.calibration.panel import Panel, Recorded
from streams.calibration.power import Alarms, Integers, Rule, Stream, delays, power_of, watched_until
from streams.contracts.bundle import Manifest, Normal, Profile
from streams.detectors.base import BucketView, Graph, Readings, Setup, no_graph, no_rows
from streams.monitoring.config import OURS, MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Watcher

MOST_STARTS = 40
WITHIN_MS = 7 * 86_400_000

Group = tuple[str, str]


class Replay(NamedTuple):
    """What is replayed: the bundle's manifest and profile, the model's monitoring, the length of a bucket, and the buckets.

    `read_rows` reads whole rows of the bundle's reference, `open_graph` opens its graph; `label_delay_ms` is as for detectors.
    """

    manifest: Manifest
    profile: Profile
    config: MonitoringConfig
    bucket_ms: int
    views: Sequence[BucketView]
    read_rows: Callable[[], pa.Table | None] = no_rows
    open_graph: Callable[[], Graph | None] = no_graph
    label_delay_ms: int = 0

    def setup(self) -> Setup:
        """Return what detectors are told."""
        floors, wait_ms = self.config.effect_floors, self.label_delay_ms
        return Setup(self.manifest, self.profile, floors, self.bucket_ms, self.read_rows, self.open_graph, wait_ms)


class Judge(NamedTuple):
    """What is usual, learnt from the buckets before one with this number, and when there is an alarm."""

    normal: Normal
    begin: int
    rule: Rule


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """How a detector found one change, over all columns that it was tried on.

    `tried` are beginnings times columns; `share` of them were confirmed in time, after `buckets` in the middle (None of none).
    `columns` are the shares by column.
    """

    change: str
    detector: str
    kind: str
    tried: int
    share: float | None
    buckets: float | None
    columns: dict[str, float | None]


def alarms_in(replay: Replay, recorded: Recorded, normal: Normal, since_ms: int = 0) -> Counter[Group]:
    """Count the alarms that monitoring itself would have confirmed in buckets from a time on, by detector and kind.

    One that is confirmed again before it was cleared, after a cool-down, is still the same. The last bucket is left out: the log
    may end within it, and then fewer requests are no fall.

    Args:
        replay: what is replayed.
        recorded: what was read of it.
        normal: what is usual.
        since_ms: alarms in buckets before don't count.
    """
    profile = msgspec.structs.replace(replay.profile, normal=normal)
    model = MonitoredModel(replay.manifest.model, replay.manifest.schema.task, "", "", "", 1, replay.bucket_ms)
    reference = Reference(replay.manifest, profile, replay.read_rows, replay.open_graph)
    watcher = Watcher(model, replay.config, lambda _: reference, open_panel=lambda _, __: recorded)
    found: Counter[Group] = Counter()
    confirmed: set[Group] = set()
    try:
        for view in replay.views[:-1]:
            for event in watcher.look_at(view).events:
                group = event.detector, event.kind
                if event.transition == "confirmed" and group not in confirmed:
                    confirmed.add(group)
                    found[group] += view.start_ms >= since_ms
                elif event.transition == "cleared":
                    confirmed.discard(group)
    finally:
        watcher.close()
    return found


def powers_in(replay: Replay, recorded: Recorded, judge: Judge, seed: int, tell: Tell) -> list[Found]:
    """Put each change of the menu into the buckets from a number on and see how soon it is found, from many beginnings.

    Args:
        replay: what is replayed.
        recorded: what was read of it.
        judge: what is usual, and when there is an alarm.
        seed: of which rows change.
        tell: is told.
    """
    trials, found = _Trials(replay, recorded, judge), list[Found]()
    try:
        changes = menu(replay.profile, frozenset(replay.manifest.schema.numbers))
        for number, change in enumerate(changes):
            found += trials.tried(change, np.random.default_rng([seed, number]))
            tell(f"{change.name}: tried")
        return found
    finally:
        trials.close()


class _Trials:
    """A history that was watched up to many beginnings, to go on from each with something else.

    Only the default detectors are asked: what others read of a bucket may depend on more than its counts.
    """

    def __init__(self, replay: Replay, recorded: Recorded, judge: Judge) -> None:
        self._replay, self._begin = replay, judge.begin
        self._within = max(WITHIN_MS // replay.bucket_ms, 1)
        self._panel = recorded
        self._asked = Panel([kind for kind in replay.config.detectors if kind in OURS], replay.setup())
        numbers = {place: number for number, place in enumerate(self._panel.places)}
        self._places = np.array([numbers[place] for place in self._asked.places], np.int64)
        self._past = Stream([view.start_ms for view in replay.views], [recorded.read(view) for view in replay.views])
        last = len(replay.views) - self._within
        starts = np.unique(np.linspace(self._begin, last, MOST_STARTS).astype(np.int64)).tolist() if last >= self._begin else []
        self._beginnings = watched_until(Alarms(recorded, judge.normal, judge.rule), self._past, starts)

    def close(self) -> None:
        """Close the detectors."""
        self._asked.close()

    def tried(self, change: Change, generator: np.random.Generator) -> Iterator[Found]:
        """Try one change; gives what each detector that should tell of it made of it."""
        aims = self._aims(change)
        if not aims or not self._beginnings:
            return
        readings = [*self._past.readings[: self._begin], *self._changed(change, generator)]
        delayed = delays(self._beginnings, Stream(self._past.start_ms, readings), list(aims.values()), self._within)
        columns: dict[Group, dict[str, int]] = defaultdict(dict)
        for number, (group, column) in enumerate(aims):
            columns[group][column] = number
        for (detector, kind), own in columns.items():
            whole = power_of(delayed[:, list(own.values())])
            yield Found(
                change=change.name,
                detector=detector,
                kind=kind,
                tried=whole.tried,
                share=whole.share,
                buckets=whole.buckets,
                columns={column: power_of(delayed[:, number]).share for column, number in own.items()},
            )

    def _aims(self, change: Change) -> dict[tuple[Group, str], Integers]:
        """Return the signals of each detector and column that should tell of a change."""
        found: dict[tuple[Group, str], list[int]] = defaultdict(list)
        for index in self._places.tolist():
            signal = self._panel.signals[index]
            if signal.kind in change.kinds and signal.watched in change.watched:
                found[(self._panel.places[index].detector, signal.kind), signal.watched].append(index)
        return {aim: np.array(signals) for aim, signals in found.items()}

    def _changed(self, change: Change, generator: np.random.Generator) -> Iterator[Readings]:
        """Read the buckets from the first beginning on as if they had changed."""
        before = self._past.readings[self._begin :]
        for view, was in zip(self._replay.views[self._begin :], before, strict=True):
            now = self._asked.read(change.alter(view, generator))
            for part, changed in zip(found := Readings(*(part.copy() for part in was)), now, strict=True):
                part[self._places] = changed
            yield found
