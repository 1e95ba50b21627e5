"""Driftwake's side: rows counted into summaries, the usual learnt from a history, and what monitoring confirms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from skills._kit.profiles import profile_of, reference_of
from skills._kit.usual import Later, Rows, Watch, normal_of
from streams.contracts.bundle import Golden, Manifest, Profile
from streams.contracts.events import DriftEvent
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.summaries import InputSummary
from streams.measuring.losses import LossAccumulator
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.durations import Duration
from streams.statistics.counts import count_categories, count_numbers
from tests.bench.monitors.rivals.scoring import ROWS, Flags
from tests.bench.monitors.rivals.worlds import World

HOUR_MS = 3_600_000
_MODEL = MonitoredModel("m", "binary", "s", "state", "events", 1, HOUR_MS)


class Said(NamedTuple):
    """What was confirmed in each bucket [T], and the first evidence of the first."""

    up: Flags
    why: str


def learnt(world: World, rows: pd.DataFrame, seed: int) -> Reference:
    """Make a bundle's reference of a history, as training does. The model has seen none of these rows.

    Rows are of `time_ms` where they have one, else a hundred an hour.
    """
    config = MonitoringConfig()
    schema = ModelSchema(
        columns=(
            *(Column(name=name, kind="number") for name in world.numbers),
            *(Column(name=name, kind="category") for name in world.categories),
        )
    )
    time_ms = _times(rows)
    later = Later(time_ms, time_ms, rows["label"].to_numpy(), rows["score"].to_numpy())
    features = pa.Table.from_pandas(rows[[*world.numbers, *world.categories, "label"]], preserve_index=False)
    table = features.append_column("time_ms", pa.array(time_ms))
    generator = np.random.default_rng(seed)
    profile = profile_of(schema, table, (), later, generator)
    sample = reference_of(schema, table, (), generator)
    manifest = Manifest(model="m", schema=schema, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]))
    watch = Watch(
        bucket_ms=HOUR_MS,
        detectors=config.detectors,
        confirm_after=config.confirm_after,
        clear_after=config.clear_after,
        alarm_rate=config.alarm_rate(HOUR_MS),
        min_rows=config.min_rows,
    )
    normal = normal_of(watch, manifest, profile, Rows(table, later), seed, reference=sample)
    assert normal is not None, "the history is long enough"
    return Reference(manifest, msgspec.structs.replace(profile, normal=normal), lambda: sample.rows)


def watched(reference: Reference, rows: pd.DataFrame, after: int, since: int = 0, *, repeats: bool = False) -> Said:
    """Look at a stream bucket by bucket.

    Args:
        reference: what was learnt.
        rows: the stream.
        after: buckets of history before it, where rows have no time of their own.
        since: the bucket whose first evidence from then on is told.
        repeats: say again in each bucket what goes on, so that alarms can be counted; by default there is a week's silence.
    """
    config = MonitoringConfig(cooldown=Duration(0)) if repeats else MonitoringConfig()
    watcher = Watcher(_MODEL, config, lambda _: reference)
    found = [
        [event for event in watcher.look(bucket).events if event.transition == "confirmed"]
        for bucket in _buckets(reference, rows, after)
    ]
    watcher.close()
    return Said(np.array([bool(events) for events in found]), next((_why(events[0]) for events in found[since:] if events), ""))


def _why(event: DriftEvent) -> str:
    return f"{event.detector}: {event.evidence[0].watched} {event.evidence[0].method}" if event.evidence else event.detector


def _buckets(reference: Reference, rows: pd.DataFrame, after: int) -> Iterator[Bucket]:
    profile: Profile = reference.profile
    time_ms = _times(rows) + (0 if "time_ms" in rows else after * HOUR_MS)
    first = int(time_ms[0]) // HOUR_MS
    groups = time_ms // HOUR_MS - first
    number = int(groups[-1]) + 1
    ends = np.searchsorted(groups, np.arange(number + 1)).tolist()
    numbers = {name: count_numbers(one, rows[name].to_numpy(), groups, number) for name, one in profile.numbers.items()}
    categories = {
        name: count_categories(one, [value or None for value in rows[name]], groups, number)
        for name, one in profile.categories.items()
    }
    scores = count_numbers(profile.score, rows["score"].to_numpy(), groups, number)
    labels, answers = rows["label"].to_numpy(), rows["score"].to_numpy()
    for bucket in range(number):
        span = (first + bucket) * HOUR_MS, (first + bucket + 1) * HOUR_MS
        own = slice(ends[bucket], ends[bucket + 1])
        rows_of_it = own.stop - own.start
        inputs = InputSummary(
            model="m", digest="d", partition=0, bucket_start_ms=span[0], bucket_end_ms=span[1], rows=rows_of_it,
            numbers={name: counts[bucket] for name, counts in numbers.items()},
            categories={name: counts[bucket] for name, counts in categories.items()},
            score=scores[bucket],
        )  # fmt: skip
        losses = LossAccumulator("binary")
        losses.add(answers[own], labels[own], np.zeros(rows_of_it, np.int64), ())
        summary = losses.summary("m", "champion", "d", 0, span, late=0)
        yield Bucket(*span, {"d": [inputs]}, {"d": [summary]})


def _times(rows: pd.DataFrame) -> np.ndarray:
    """Return when each row was asked: a hundred an hour, evenly, where it doesn't say."""
    return rows["time_ms"].to_numpy() if "time_ms" in rows else np.arange(len(rows), dtype=np.int64) * (HOUR_MS // ROWS)
