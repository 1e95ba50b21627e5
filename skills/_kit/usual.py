"""What is usual of the monitors' signals in a model's own past: the part of the profile that says how often chance alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, Floats, Integers, column_of, floats, integers
from skills._kit.metrics import losses
from skills._kit.seen import seen_scores
from streams.calibration.learning import Asked, learn_normal, read_history
from streams.calibration.panel import Panel
from streams.contracts.bundle import Manifest, Normal, Profile, SliceProfile
from streams.contracts.schema import ModelSchema, Task
from streams.contracts.slices import Slice
from streams.contracts.summaries import (
    ANSWERED,
    FIXED,
    RECEIVED,
    SAMPLED_SCORE,
    SCORE_BINS,
    InputSummary,
    LossSummary,
    SliceLosses,
)
from streams.detectors.base import BucketView, Floors, Graph, Requests, Setup, no_graph
from streams.serving.config import ServingConfig
from streams.serving.suspicion import Suspicion
from streams.statistics.alarms import Course
from streams.statistics.arrivals import count_arrivals
from streams.statistics.cohorts import cohorts_of
from streams.statistics.contents import Contents, content_hashes
from streams.statistics.counts import count_categories, count_numbers
from streams.statistics.slices import Slicer
from streams.statistics.waits import count_waits

_SAMPLE = 500
# Levels of signals in buckets that are held at once; a hundred features in hours of a year are 4 million.
_MOST_LEVELS = 6_000_000
# So many labels have come by then, at the beginning of the rows.
_NEARLY_ALL = 0.99
# By then a label counts as one that should be there; of fewer labels it isn't known when that is.
_NEARLY_ALL_COME, _FEWEST_DELAYS = 0.95, 100


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the model is going to be watched: by which detectors, in which buckets, and when an alarm begins and ends.

    A bucket with fewer than `min_rows` rows says nothing of the inputs. The loss of `slices` is followed by itself. `alarm_rate`
    is how many alarms a bucket chance may raise; any other rate can be had later, with less certainty the farther it is.
    `timezone` is whose hours and weekdays seasons follow.
    """

    bucket_ms: int
    detectors: tuple[str, ...]
    confirm_after: int
    clear_after: int
    alarm_rate: float
    min_rows: int
    slices: tuple[Slice, ...] = ()
    timezone: str = "UTC"


class Later(NamedTuple):
    """Rows that the model hadn't seen: event times, times of knowing the label, labels and scores [n each].

    A row without a label was known at a time below 0; its score counts all the same. `served` are the scores as the model that
    serves spreads them, where that one was fitted again on these rows too.
    """

    time_ms: Integers
    known_ms: Integers
    labels: Floats
    scores: Floats
    served: Floats | None = None

    @property
    def answers(self) -> Floats:
        """What requests like these are answered [n]."""
        return self.scores if self.served is None else self.served

    def kept(self, which: Booleans) -> Later:
        """Return some of the rows."""
        served = None if self.served is None else self.served[which]
        return Later(self.time_ms[which], self.known_ms[which], self.labels[which], self.scores[which], served)


class Rows(NamedTuple):
    """The rows that a bundle is made of, with the window columns, in order of time, and the last of them, unseen by the model.

    `seen` are the model's scores of the rows before those, where they are known.
    """

    table: pa.Table
    later: Later
    seen: Floats | None = None


class Reference(NamedTuple):
    """Whole rows that travel with a bundle, and which of all rows they are [n]."""

    rows: pa.Table
    places: Integers


def normal_of(
    watch: Watch,
    manifest: Manifest,
    profile: Profile,
    rows: Rows,
    seed: int,
    *,
    reference: Reference | None = None,
    before: Normal | None = None,
    open_graph: Callable[[], Graph | None] = no_graph,
) -> Normal | None:
    """Learn from the rows that a bundle is made of what is usual; None when they span too few buckets, or far too many.

    Args:
        watch: how the model is going to be watched.
        manifest: the bundle's, as far as it is known.
        profile: the reference.
        rows: what is learnt from.
        seed: for the simulated stream that the rate of false alarms is read from.
        reference: those of the rows that the bundle is going to hold.
        before: what was usual under the bundle that this one succeeds, where requests have the same columns. What only a whole
            log tells, such as how many come, hangs on no bundle and is handed on.
        open_graph: opens the graph that the bundle is going to hold.
    """
    whole, places = reference if reference is not None else (None, None)
    panel = Panel(watch.detectors, Setup(manifest, profile, Floors(), watch.bucket_ms, lambda: whole, open_graph))
    try:
        if not fits(watch, panel, rows):
            return None
        views = views_of(watch, manifest, profile, rows, reads_sample=panel.reads_sample, but=places)
        time_ms = integers(rows.table, "time_ms")
        seen = None if rows.seen is None else seen_scores(panel, profile, time_ms[: len(rows.seen)], rows.seen, watch.bucket_ms)
        normal = learn_normal(panel, read_history(panel, views), asked_of(watch), np.random.default_rng(seed), seen=seen)
        return normal if normal is None or before is None else _handed_on(panel, normal, before)
    finally:
        panel.close()


def _handed_on(panel: Panel, normal: Normal, before: Normal) -> Normal:
    """Let signals without a reference, of which these rows say nothing, be what they were, in the same buckets and hours."""
    if (before.bucket_ms, before.timezone) != (normal.bucket_ms, normal.timezone):
        return normal
    signals = {detector: dict(usual) for detector, usual in normal.signals.items()}
    for place, signal in zip(panel.places, panel.signals, strict=True):
        earlier = before.signals.get(place.detector, {}).get(signal.name)
        own = signals[place.detector]
        if not signal.reference and earlier is not None and not own[signal.name].buckets:
            own[signal.name] = earlier
    # How many labels come was learnt as of then.
    return msgspec.structs.replace(normal, signals=signals, label_delay_ms=before.label_delay_ms)


def asked_of(watch: Watch) -> Asked:
    """Return what is asked of the alarms."""
    return Asked(watch.alarm_rate, Course(watch.confirm_after, watch.clear_after), watch.bucket_ms, watch.timezone)


def fits(watch: Watch, panel: Panel, rows: Rows) -> bool:
    """Say whether the rows' buckets are few enough to be held at once."""
    time_ms = integers(rows.table, "time_ms")
    return (int(time_ms.max()) - int(time_ms.min())) // watch.bucket_ms * len(panel.signals) <= _MOST_LEVELS


def views_of(
    watch: Watch,
    manifest: Manifest,
    profile: Profile,
    rows: Rows,
    *,
    reads_sample: bool,
    is_whole: bool = False,
    but: Integers | None = None,
) -> list[BucketView]:
    """Sum rows up in buckets, as measuring and monitoring would have; those between first and last that are empty too.

    Args:
        watch: how the model is watched.
        manifest: the bundle's.
        profile: its reference, on whose bins is counted.
        rows: what came.
        reads_sample: whether buckets need a sample of their rows.
        is_whole: whether the rows are all that came, with all declared columns; if some may lack, it isn't known how many came,
            how many of them were alike, when they came, how long they took, and how many of them got a label.
        but: rows that are in no sample, because they are in the reference: new rows are less like it than its own.
    """
    table, later, bucket_ms = rows.table, rows.later, watch.bucket_ms
    time_ms = integers(table, "time_ms")
    first, last = int(time_ms.min()) // bucket_ms, int(time_ms.max()) // bucket_ms
    inputs = _inputs(profile, table, time_ms // bucket_ms - first, last - first + 1)
    _count_scores(inputs, profile, later, later.time_ms // bucket_ms - first)
    if reads_sample:
        free = np.delete(np.arange(table.num_rows), [] if but is None else but)
        _sample(inputs, profile, rows, (time_ms // bucket_ms - first, free))
    requests: list[Requests] = []
    if is_whole:
        requests = _count_requests(inputs, manifest.schema, profile, table, time_ms // bucket_ms - first)
        _count_times(inputs, table, time_ms // bucket_ms - first)
    known = later.known_ms // bucket_ms - first
    outcomes = _losses(manifest.schema.task, later, known, last - first + 1)
    _add_slices(outcomes, manifest.schema.task, profile.slices, rows, known)
    _add_delays(outcomes, later, known, bucket_ms)
    if is_whole:
        _add_cohorts(outcomes, later, known, bucket_ms)
    return [
        BucketView(
            model=manifest.model,
            digest="",
            start_ms=(first + number) * bucket_ms,
            end_ms=(first + number + 1) * bucket_ms,
            inputs=found if found.rows >= watch.min_rows else None,
            losses=loss if loss.rows else None,
            # The log may end within the last bucket.
            requests=requests[number] if is_whole and found.rows and first + number < last else None,
        )
        for number, (found, loss) in enumerate(zip(inputs, outcomes, strict=True))
    ]


def _inputs(profile: Profile, table: pa.Table, buckets: Integers, number: int) -> list[InputSummary]:
    rows = np.bincount(buckets, minlength=number).tolist()
    numbers = {name: count_numbers(one, floats(table, name), buckets, number) for name, one in profile.numbers.items()}
    categories = {
        name: count_categories(one, column_of(table, name).to_pylist(), buckets, number)
        for name, one in profile.categories.items()
    }
    empty = np.empty(0)
    scores = count_numbers(profile.score, empty, empty.astype(np.int64), number)
    return [
        InputSummary(
            model="", digest="", partition=0, bucket_start_ms=0, bucket_end_ms=0, rows=rows[bucket],
            numbers={name: counts[bucket] for name, counts in numbers.items()},
            categories={name: counts[bucket] for name, counts in categories.items()},
            score=scores[bucket],
        )
        for bucket in range(number)
    ]  # fmt: skip


def _count_scores(inputs: list[InputSummary], profile: Profile, later: Later, buckets: Integers) -> None:
    for summary, counts in zip(inputs, count_numbers(profile.score, later.answers, buckets, len(inputs)), strict=True):
        summary.score = counts


def _sample(inputs: list[InputSummary], profile: Profile, rows: Rows, of: tuple[Integers, Integers]) -> None:
    """Give each bucket a sample of its rows, evenly over its time; only rows that the model hadn't seen have a score.

    Args:
        inputs: the buckets, by number.
        profile: whose columns are sampled.
        rows: what came.
        of: each row's bucket [rows], and which rows may be in a sample [at most rows].
    """
    table, later, (buckets, free) = rows.table, rows.later, of
    unseen = np.full(table.num_rows - len(later.scores), np.nan)
    kept = table.select([*profile.numbers, *profile.categories])
    kept = kept.append_column(SAMPLED_SCORE, pa.array(np.r_[unseen, later.answers], from_pandas=True))
    ends = np.searchsorted(buckets[free], np.arange(len(inputs) + 1)).tolist()
    for summary, (begin, end) in zip(inputs, pairwise(ends), strict=True):
        evenly = np.linspace(begin, end, min(end - begin, _SAMPLE), endpoint=False).astype(np.int64)
        summary.sample = list(enumerate(kept.take(pa.array(free[evenly])).to_pylist()))


def _count_requests(
    inputs: list[InputSummary], schema: ModelSchema, profile: Profile, table: pa.Table, buckets: Integers
) -> list[Requests]:
    """Count what came, what serving would flag of it by this reference and its default bounds, and which rows are alike."""
    columns = {
        column.name: floats(table, column.name) if column.kind == "number" else column_of(table, column.name).to_pylist()
        for column in schema.columns
    }
    flagged = list(Suspicion(schema, profile, ServingConfig().range_factor).flags(columns, table.num_rows))
    suspect = np.bincount(buckets[np.array(flagged, np.int64)], minlength=len(inputs)).tolist()
    hashes = content_hashes(list(columns.values()))
    ends = np.searchsorted(buckets, np.arange(len(inputs) + 1)).tolist()
    for summary, (begin, end) in zip(inputs, pairwise(ends), strict=True):
        found = Contents()
        found.add(hashes[begin:end])
        summary.contents = found.counted
    return [Requests(summary.rows, number) for summary, number in zip(inputs, suspect, strict=True)]


def _count_times(inputs: list[InputSummary], table: pa.Table, buckets: Integers) -> None:
    """Count how far event times lay behind arrival, and how long answers took, where the rows have the times for it."""
    if RECEIVED not in table.column_names:
        return
    received, has_answers = floats(table, RECEIVED), ANSWERED in table.column_names
    behind = received - integers(table, "time_ms")
    waits = (floats(table, ANSWERED) if has_answers else np.full(len(received), np.nan)) - received
    ends = np.searchsorted(buckets, np.arange(len(inputs) + 1)).tolist()
    for summary, (begin, end) in zip(inputs, pairwise(ends), strict=True):
        summary.arrivals = count_arrivals(_known(behind[begin:end])).tolist()
        summary.waits = count_waits(_known(waits[begin:end])).tolist() if has_answers else []


def _known(values: Floats) -> Integers:
    return values[np.isfinite(values)].astype(np.int64)


def _losses(task: Task, later: Later, buckets: Integers, number: int) -> list[LossSummary]:
    """Sum up the outcomes by when they became known; those known after the last bucket are left out."""
    inside = (buckets >= 0) & (buckets < number)
    labels, scores, of = later.labels[inside], later.scores[inside], buckets[inside]
    found = losses(task, labels, scores)
    sums = [np.bincount(of, weights=found**power, minlength=number) for power in (1, 2)]
    brier = np.bincount(of, weights=(scores - labels) ** 2, minlength=number)
    moments = [np.bincount(of, weights=values, minlength=number) for values in (labels, labels**2, scores)]
    rows = np.bincount(of, minlength=number).tolist()
    histograms = [score_histograms(scores[labels == label], of[labels == label], number) for label in (1, 0)]
    is_binary = task == "binary"
    return [
        LossSummary(
            model="", slot="", digest="", partition=0, bucket_start_ms=0, bucket_end_ms=0, rows=rows[bucket],
            loss=round(sums[0][bucket] * FIXED), loss_squares=round(sums[1][bucket] * FIXED),
            brier=round(brier[bucket] * FIXED), delay_ms=0,
            positives=histograms[0][bucket].tolist() if is_binary else [],
            negatives=histograms[1][bucket].tolist() if is_binary else [],
            labels=round(moments[0][bucket] * FIXED), label_squares=round(moments[1][bucket] * FIXED),
            scores=round(moments[2][bucket] * FIXED),
        )
        for bucket in range(number)
    ]  # fmt: skip


def _add_delays(outcomes: list[LossSummary], later: Later, buckets: Integers, bucket_ms: int) -> None:
    """Add up how long labels took, in the buckets before which nearly all had the time to come.

    Labels of requests from before the rows are among none of them, so that those which become known at first are the fast ones.
    """
    inside = (buckets >= 0) & (buckets < len(outcomes))
    if not inside.any():
        return
    known_ms, delay_ms, of = later.known_ms[inside], (later.known_ms - later.time_ms)[inside], buckets[inside]
    begin_ms = math.ceil((int(later.time_ms.min()) + float(np.quantile(delay_ms, _NEARLY_ALL))) / bucket_ms) * bucket_ms
    sums = np.bincount(of, weights=np.where(known_ms >= begin_ms, delay_ms, 0), minlength=len(outcomes))
    for outcome, total in zip(outcomes, sums.tolist(), strict=True):
        outcome.delay_ms = round(total)


def _add_cohorts(outcomes: list[LossSummary], later: Later, buckets: Integers, bucket_ms: int) -> None:
    """Count outcomes by the cohort of their request."""
    inside = (buckets >= 0) & (buckets < len(outcomes))
    begins = cohorts_of(later.time_ms[inside], later.known_ms[inside] // bucket_ms * bucket_ms, bucket_ms)
    cohorts = np.c_[buckets[inside], begins]
    found, counts = np.unique(cohorts, axis=0, return_counts=True)
    for (bucket, begin_ms), count in zip(found.tolist(), counts.tolist(), strict=True):
        outcomes[bucket].cohorts.append((begin_ms, count))


def label_delay_ms(later: Later) -> int:
    """Return after how long nearly all labels that ever come have come, 0 where too few did.

    It goes by the earlier half of the rows, so that the slow ones have had the time to come.
    """
    middle_ms = np.median(later.time_ms) if len(later.time_ms) else 0
    is_told = (later.known_ms >= 0) & (later.time_ms <= middle_ms)
    delay_ms = (later.known_ms - later.time_ms)[is_told]
    return max(math.ceil(np.quantile(delay_ms, _NEARLY_ALL_COME)), 1) if len(delay_ms) >= _FEWEST_DELAYS else 0


def _add_slices(outcomes: list[LossSummary], task: Task, slices: Sequence[SliceProfile], rows: Rows, buckets: Integers) -> None:
    number, inside = len(outcomes), (buckets >= 0) & (buckets < len(outcomes))
    for one, own in zip(slices, in_slices([one.slice for one in slices], rows), strict=True):
        belongs = inside & own
        found, of = losses(task, rows.later.labels[belongs], rows.later.scores[belongs]), buckets[belongs]
        counted = np.bincount(of, minlength=number).tolist()
        sums = [np.bincount(of, weights=found**power, minlength=number) for power in (1, 2)]
        for bucket, outcome in enumerate(outcomes):
            outcome.slices[one.slice.name] = SliceLosses(
                rows=counted[bucket], loss=round(sums[0][bucket] * FIXED), loss_squares=round(sums[1][bucket] * FIXED)
            )


def in_slices(slices: Sequence[Slice], rows: Rows) -> Booleans:
    """Say which of the later rows belong to each slice [slices, n]."""
    later = rows.table.slice(rows.table.num_rows - len(rows.later.scores))
    return Slicer(slices).rows(lambda name: column_of(later, name).to_pylist())


def score_histograms(scores: Floats, groups: Integers, number: int) -> Integers:
    """Count scores in `SCORE_BINS` equal bins of [0, 1], for each group [number, bins]."""
    bins = np.clip((scores * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
    counted = np.bincount(groups * SCORE_BINS + bins, minlength=number * SCORE_BINS)
    return counted.reshape(number, SCORE_BINS)
