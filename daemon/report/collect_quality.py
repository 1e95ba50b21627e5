"""What was served and what became of it: quality of each slot by period, and two bundles compared on the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from daemon.report.model import Period
from daemon.report.wording import day
from skills._kit.frames import Floats, Integers, floats, integers
from skills._kit.metrics import compared, measured, metric_name
from skills._kit.sources import newest_known
from streams.contracts.bundle import Interval
from streams.contracts.schema import Task
from streams.lake.lake import Lake

WEEK_MS = 7 * 86_400_000

# Below these nothing is measured: a slot must have scored nearly all rows of a period, or it is another period's quality.
NEARLY_ALL = 0.95
LEAST_ROWS = 20

_SEED = 0
_END_OF_TIME = (1 << 62) - 1
_COLUMNS = ("id", "time_ms", "known_ms", "revision", "label", "score", "digest", "generation", "shadows")

Span = tuple[str, int, int]


class Served(NamedTuple):
    """Labelled requests in order of time [rows], the newest revision of each, and the shadows' scores [scores] of those rows."""

    time_ms: Integers
    labels: Floats
    scores: Floats
    digests: pa.Array
    generations: Integers
    shadow_rows: Integers
    shadow_names: pa.Array
    shadow_digests: pa.Array
    shadow_scores: Floats

    @classmethod
    def of(cls, outcomes: pa.Table) -> Self:
        """Take them from rows of the lake's outcomes; rows that were never served (imported history) are left out."""
        newest = newest_known(outcomes.filter(pc.not_equal(outcomes.column("digest"), "")), _END_OF_TIME)
        rows = newest.sort_by([("time_ms", "ascending"), ("id", "ascending")])
        shadows = rows.column("shadows").combine_chunks()
        flat = pc.list_flatten(shadows)
        return cls(
            time_ms=integers(rows, "time_ms"),
            labels=floats(rows, "label"),
            scores=floats(rows, "score"),
            digests=rows.column("digest").combine_chunks(),
            generations=integers(rows, "generation"),
            shadow_rows=pc.list_parent_indices(shadows).to_numpy(),
            shadow_names=pc.struct_field(flat, "name"),
            shadow_digests=pc.struct_field(flat, "digest"),
            shadow_scores=pc.struct_field(flat, "score").to_numpy(zero_copy_only=False),
        )

    def rows(self, start_ms: int, end_ms: int) -> slice:
        """Return which rows have an event time in [start, end)."""
        first, last = np.searchsorted(self.time_ms, (start_ms, end_ms))
        return slice(int(first), int(last))

    def slot(self, name: str) -> Floats:
        """Return the scores of a shadow slot, NaN where it had none [rows]."""
        return self._shadow(pc.equal(self.shadow_names, name))

    def champion(self, digest: str) -> Floats:
        """Return the served scores of a bundle, NaN where another one served [rows]."""
        return np.where(_mask(pc.equal(self.digests, digest)), self.scores, np.nan)

    def shadow(self, digest: str) -> Floats:
        """Return the scores that a bundle gave as a shadow in any slot, NaN where it was in none [rows]."""
        return self._shadow(pc.equal(self.shadow_digests, digest))

    def _shadow(self, asked: Any) -> Floats:
        found, inside = np.full(len(self.labels), np.nan), _mask(asked)
        found[self.shadow_rows[inside]] = self.shadow_scores[inside]
        return found


class Paired(NamedTuple):
    """New bundle less old one on the same rows, above zero is better; None where nothing can be said."""

    rows: int
    difference: Interval | None


def read_served(lake: Lake, model: str, start_ms: int, end_ms: int) -> Served:
    """Read the outcomes with event time in [start, end), whenever their labels became known.

    Raises:
        LakeError: there are none, or they can't be read.
    """
    return Served.of(lake.read(model, "outcomes", _COLUMNS, since_ms=start_ms, until_ms=end_ms))


def metric_text(task: Task) -> str:
    """Name the quality for people; a larger value is better in every task."""
    return metric_name(task).upper() if task == "binary" else f"negative {metric_name(task).upper()}"


def weeks(start_ms: int, end_ms: int) -> list[Span]:
    """Cut a range into weeks, the last one may be shorter."""
    return [(f"week of {day(since)}", since, min(since + WEEK_MS, end_ms)) for since in range(start_ms, end_ms, WEEK_MS)]


def periods(served: Served, task: Task, slots: Sequence[str], spans: Iterable[Span]) -> tuple[Period, ...]:
    """Measure every slot over every span: label, start and end in ms. The first slot is the champion, the others are shadows."""
    scores = {name: served.slot(name) if place else served.scores for place, name in enumerate(slots)}
    found = []
    for label, start_ms, end_ms in spans:
        rows = served.rows(start_ms, end_ms)
        labels = served.labels[rows]
        quality = {name: _quality(task, labels, values[rows]) for name, values in scores.items()}
        positives = int((labels > 0.5).sum()) if task == "binary" else 0
        found.append(Period(label=label, start_ms=start_ms, rows=len(labels), positives=positives, quality=quality))
    return tuple(found)


def paired(served: Served, task: Task, rows: slice, new: str, old: str) -> Paired:
    """Compare the bundle `new` where it served among `rows` with `old`, which scored the same ones as a shadow."""
    ours, theirs, labels = served.champion(new)[rows], served.shadow(old)[rows], served.labels[rows]
    both = np.isfinite(ours) & np.isfinite(theirs) & np.isfinite(labels)
    count = int(both.sum())
    if count < LEAST_ROWS:
        return Paired(count, None)
    difference = compared(task, labels[both], theirs[both], ours[both], seed=_SEED)[2]
    interval = _better_up(task, Interval(difference.value, difference.low, difference.high))
    return Paired(count, interval if np.isfinite([interval.low, interval.high]).all() else None)


def _quality(task: Task, labels: Floats, scores: Floats) -> Interval | None:
    usable = np.isfinite(scores) & np.isfinite(labels)
    if usable.sum() < max(LEAST_ROWS, NEARLY_ALL * len(labels)):
        return None
    found = measured(task, labels[usable], scores[usable], _SEED)
    return _better_up(task, Interval(found.value, found.low, found.high)) if np.isfinite(found.value) else None


def _better_up(task: Task, interval: Interval) -> Interval:
    return interval if task == "binary" else Interval(-interval.value, -interval.high, -interval.low)


def _mask(asked: Any) -> Any:
    return asked.to_numpy(zero_copy_only=False).astype(bool)
