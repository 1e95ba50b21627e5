"""Find out what is behind drift events: measure, weigh the causes, show the evidence."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.archives import Archive, ArchivedGain, gains_of, surely_returned
from skills._kit.calendars import beyond_calendar, calendar_psi
from skills._kit.causes import UNTRUSTED, Signs, WeighedCause, weigh
from skills._kit.changes import Changed, Delays, change_of
from skills._kit.errors import InputError, NoDataError
from skills._kit.evidence import (
    Labels,
    Recent,
    dead_numbers,
    estimated_change,
    flagged_share,
    labels_of,
    loss_change,
    mismatch_share,
    nearness,
    new_segment,
    row_losses,
    shifts_of,
    window_shifts,
)
from skills._kit.explained import Expected, expected_by
from skills._kit.features import longest_reach_ms, unflagged
from skills._kit.frames import Booleans, Floats, integers
from skills._kit.grammar import RANGES_MS
from skills._kit.headroom import headroom_of
from skills._kit.performance import Performance, performance_of
from skills._kit.ranges import Lengths
from skills._kit.shifts import Shift
from skills._kit.skill import Need, Spec
from skills._kit.slices import slices_of
from skills._kit.sources import facts_of, keys_of, newest_known, shown
from skills._kit.swaps import UNKNOWN, Place, Span, Swap, swap_of
from skills._kit.told import OF_INPUTS, spoken_of, told_by
from streams.contracts.events import DriftEvent
from streams.contracts.schema import ModelSchema
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake

MOVED_PSI = 0.1
MOST_MOVED = 20
MOST_SLICES = 10
SLICE_ROWS = 50
CHANGED_ROWS = 100
STRETCHES = 8
LOOK_BACK = 8
SEED = 0
# So surely broken, nothing is measured that only a training would use: it takes most of a diagnosis's time.
SURELY_BROKEN = 0.9


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events to explain; `recent` is event time and label time in [now - recent, now).

    Where fewer than `recent_rows` requests came in that, it reaches back further, up to `LOOK_BACK` times as far: a stream of few
    requests would else never have the labels that a loss is measured by, however long one waits.
    `deployed_ms` is when the champion took over from another bundle, None where it was the first; `archived` are digests of
    earlier champions, the newest first. `train_ms` and `sealed_ms` are how far back a plan trains and what it leaves to the
    judge, 0 where nobody says.
    """

    lake: str
    registry: str
    model: str
    champion: str
    now_ms: int
    events: list[DriftEvent]
    recent_ms: int
    recent_rows: int = 0
    deployed_ms: int | None = None
    archived: tuple[str, ...] = ()
    train_ms: int = 0
    sealed_ms: int = 0


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that moved: its PSI, and the change of its mean in deviations (or of its largest share)."""

    feature: str
    statistic: float
    effect: float


class SliceLoss(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a slice, their mean loss, and how far it lies above the reference's."""

    slice: str
    rows: int
    loss: float
    excess: float


class LabelState(msgspec.Struct, frozen=True, kw_only=True):
    """How many labels became known recently for each prediction, at most 1; how long they took; and how many rows they are of."""

    coverage: float | None
    delay_ms_p50: float | None
    delay_ms_p90: float | None
    rows: int


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """What the model could gain, in the metric, from the windows of known outcomes that foretell its errors best."""

    windows: list[str]
    metric: str
    value: float
    low: float
    high: float
    rows: int


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The diagnosis, numbers and enums only.

    `headroom` and `expected` are None when too little is known to measure them, and `headroom` where the data are surely broken.
    `change` is None when no event says when it began, and then no earlier champion is measured.
    """

    causes: list[WeighedCause]
    moved: list[Moved]
    slices: list[SliceLoss]
    label_state: LabelState
    performance: Performance
    headroom: Missed | None = None
    expected: Expected | None = None
    change: Changed | None = None
    archived: list[ArchivedGain] = []


SPEC = Spec(
    summary="Find the cause of drift events",
    input=Input,
    output=Output,
    need=Need(seconds=120, memory_mb=2_048),
)


class _Seen(NamedTuple):
    """Predictions since the change, how far each feature moved in them, the state of the labels, and our own deployment."""

    changed: pa.Table
    shifts: list[Shift]
    labels: Labels
    swap: Swap


class _Own(NamedTuple):
    """Recent outcomes of the champion's own scores, in order of time, each row's loss, and the metric over them.

    `speaks` says which of them were asked since the change.
    """

    rows: pa.Table
    losses: Floats
    speaks: Booleans
    performance: Performance


def run(request: Input, work: Path) -> Output:
    """Measure and weigh.

    Raises:
        SkillError: nothing was predicted recently, or something can't be read.
    """
    del work  # nothing is written
    if request.recent_ms <= 0:
        raise InputError("recent_ms must be positive")
    store = BundleStore(Path(request.registry))
    scorer = load(store, request.model, request.champion)
    schema, profile = scorer.manifest.schema, scorer.profile
    lake = Lake(request.lake)
    request = _reaching(lake, request)
    seen = shown(lake, request.model, schema)
    recent = _recent(lake, request, seen)
    if not recent.predictions.num_rows:
        raise NoDataError("no predictions in the recent range")
    mine = recent.outcomes.filter(pc.equal(recent.outcomes.column("digest"), request.champion))
    mine = unflagged(mine).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    performance = performance_of(scorer, mine, SEED)
    changed, since_ms = _changed(request, recent.predictions)
    found, shifts = row_losses(schema.task, mine), _shifts(request, scorer, recent, changed)
    # Where labels take long, those of now are of requests from before the change, and say nothing of it.
    speaks = integers(mine, "time_ms") >= since_ms
    labels = labels_of(schema.task, recent)
    archive = Archive(lake, store, request.model, request.now_ms)
    delays = Delays(labels.delay_ms_p50 or 0.0, labels.delay_ms_p90 or 0.0)
    lengths = Lengths(request.train_ms, request.sealed_ms) if request.train_ms else None
    change = change_of(archive, request.events, delays, lengths, schema.task)
    archived: list[ArchivedGain] = []
    if change is not None and change.rows:
        archived = gains_of(archive, scorer, request.archived, change.since_ms, delay_ms=delays.most_ms, seed=SEED)
    swap = _swap(request, Place(lake, request.model, seen, profile))
    signs = _signs(request, scorer, recent, _Own(mine, found, speaks, performance), _Seen(changed, shifts, labels, swap))
    best = surely_returned(archived)
    causes = weigh(msgspec.structs.replace(signs, returned=best.low, compared=best.compared, compared_rows=best.rows))
    return Output(
        causes=causes,
        moved=[
            Moved(feature=one.feature, statistic=one.statistic, effect=one.effect) for one in shifts if one.statistic > MOVED_PSI
        ][:MOST_MOVED],
        slices=_slices(schema, mine, found, profile.loss_mean),
        label_state=LabelState(
            coverage=labels.coverage, delay_ms_p50=labels.delay_ms_p50, delay_ms_p90=labels.delay_ms_p90, rows=labels.rows
        ),
        performance=performance,
        headroom=None if _is_broken(causes) else _headroom(lake, request, scorer, performance.metric),
        expected=_expected(request, scorer, changed, shifts),
        change=change,
        archived=archived,
    )


def _shifts(request: Input, scorer: Scorer, recent: Recent, changed: pa.Table) -> list[Shift]:
    """Say how far each column and the score moved, beyond what the days and hours of the change do by themselves."""
    schema, since_ms = scorer.manifest.schema, int(integers(changed, "time_ms").min())
    earlier = [part.select(["time_ms", *schema.numbers]) for part in (unflagged(recent.predictions), *recent.stretches)]
    usual = calendar_psi(scorer.profile, earlier, since_ms, request.now_ms)
    return beyond_calendar(shifts_of(schema, scorer.profile, changed), usual)


def _reaching(lake: Lake, request: Input) -> Input:
    """Return a request whose recent range has rows enough, if it may be made longer so far."""
    since_ms = request.now_ms - request.recent_ms
    rows = lake.read(request.model, "predictions", ["time_ms"], since_ms=since_ms, until_ms=request.now_ms).num_rows
    if not 0 < rows < request.recent_rows:
        return request
    recent_ms = int(request.recent_ms * min(LOOK_BACK, request.recent_rows / rows))
    return msgspec.structs.replace(request, recent_ms=min(recent_ms, request.now_ms))


def _is_broken(causes: list[WeighedCause]) -> bool:
    return sum(one.probability for one in causes if one.cause in UNTRUSTED) >= SURELY_BROKEN


def _swap(request: Input, place: Place) -> Swap:
    if request.deployed_ms is None:
        return UNKNOWN
    return swap_of(request.events, place, Span(request.deployed_ms, request.now_ms, request.recent_ms))


def _expected(request: Input, scorer: Scorer, changed: pa.Table, shifts: list[Shift]) -> Expected | None:
    """Say what each column that moved adds to the loss that the scores let expect."""
    reference = BundleStore(Path(request.registry)).read_reference(request.model, request.champion)
    moved = [one.feature for one in shifts if one.statistic > MOVED_PSI]
    return expected_by(scorer, reference, unflagged(changed), moved, SEED)


def _headroom(lake: Lake, request: Input, scorer: Scorer, metric: str) -> Missed | None:
    """Look back over more than the recent range: a feature that was always missing is worth as much as one that is now."""
    manifest = scorer.manifest
    if not lake.exists(request.model, "outcomes"):
        return None
    first_ms = max(0, request.now_ms - LOOK_BACK * request.recent_ms)
    keys = keys_of(manifest.windows)
    declared = [column.name for column in shown(lake, request.model, manifest.schema, keys).columns]
    wanted = ["id", "time_ms", "known_ms", "revision", *declared, "label", "flags"]
    known = lake.read(request.model, "outcomes", wanted, since_ms=first_ms, until_ms=request.now_ms, keys=keys)
    rows = unflagged(newest_known(known, request.now_ms)).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    reach_ms = max(longest_reach_ms(manifest.windows, manifest.skew_ms), max(RANGES_MS) + manifest.skew_ms)
    facts = facts_of(
        lake,
        request.model,
        manifest.schema,
        manifest.skew_ms,
        since_ms=max(0, first_ms - reach_ms),
        until_ms=request.now_ms,
        keys=keys,
    )
    found = headroom_of(scorer, rows, facts, SEED)
    if found is None:
        return None
    gain = found.gain
    windows = [window.text for window in found.windows]
    return Missed(windows=windows, metric=metric, value=gain.value, low=gain.low, high=gain.high, rows=found.rows)


def _recent(lake: Lake, request: Input, schema: ModelSchema) -> Recent:
    since_ms, declared = request.now_ms - request.recent_ms, [column.name for column in schema.columns]
    wanted = ["id", "time_ms", *declared, "windows", "score", "digest", "flags"]
    predictions = lake.read(request.model, "predictions", wanted, since_ms=since_ms, until_ms=request.now_ms)
    stretches = _stretches(lake, request, schema)
    known = ["id", "time_ms", "known_ms", "revision", *declared, "label", "score", "digest", "flags"]
    if not lake.exists(request.model, "outcomes"):
        empty = {name: pa.array([], predictions.schema.field(name).type) for name in known if name in wanted}
        empty |= {"known_ms": pa.array([], pa.int64()), "revision": pa.array([], pa.int32()), "label": pa.array([], pa.float64())}
        return Recent(predictions, pa.table(empty), pa.table(empty), stretches)
    edges = (max(0, since_ms - request.recent_ms), since_ms, request.now_ms)
    before, outcomes = (
        lake.read(request.model, "outcomes", known, since_ms=first, until_ms=last, time_column="known_ms")
        for first, last in pairwise(edges)
    )
    return Recent(predictions, outcomes, before, stretches)


def _changed(request: Input, predictions: pa.Table) -> tuple[pa.Table, int]:
    """Return the predictions since the newest change of inputs that was confirmed, and when that began.

    Those before it would only dilute it. It began at 0 where no change has a beginning, or too few came since.
    """
    began = {
        event.evidence[0].since_ms
        for event in request.events
        if event.transition == "confirmed" and spoken_of(event) in OF_INPUTS and event.evidence
    }
    times = integers(predictions, "time_ms")
    for since_ms in sorted(began, reverse=True):
        is_since = times >= since_ms
        if is_since.sum() >= CHANGED_ROWS:
            return predictions.filter(pa.array(is_since)), since_ms
    return predictions, 0


def _before(request: Input, schema: ModelSchema, recent: Recent, changed: pa.Table) -> list[pa.Table]:
    """Cut what came before the change in stretches of its length, newest first."""
    since_ms = int(integers(changed, "time_ms").min())
    length_ms = request.now_ms - since_ms
    names = ["time_ms", *schema.numbers]
    parts = [part.select(names) for part in (unflagged(recent.predictions), *recent.stretches)]
    times = [integers(part, "time_ms") for part in parts]
    wanted = [(since_ms - count * length_ms, since_ms - (count - 1) * length_ms) for count in range(1, STRETCHES + 1)]
    return [
        pa.concat_tables(
            part.filter(pa.array((time_ms >= first) & (time_ms < last))) for part, time_ms in zip(parts, times, strict=True)
        )
        for first, last in wanted
    ]


def _signs(request: Input, scorer: Scorer, recent: Recent, own: _Own, seen: _Seen) -> Signs:
    (mine, found, speaks, performance), (changed, shifts, labels, swap), profile = own, seen, scorer.profile
    above, change = loss_change(profile, found[speaks])
    expected_above, expected_change = estimated_change(profile, changed)
    features, windows = [shift for shift in shifts if shift.feature != "score"], window_shifts(profile, changed)
    segment = new_segment(profile, mine, found)
    return Signs(
        loss_z=above,
        loss_change=change,
        quality_drop=performance.drop,
        estimated_z=expected_above,
        estimated_change=expected_change,
        psi=max((shift.statistic for shift in features), default=0.0),
        missing=max((shift.missing for shift in features), default=0.0),
        windows_missing=max((shift.missing for shift in windows), default=0.0),
        windows_strange=max((shift.strange for shift in windows), default=0.0),
        strange=max((shift.strange for shift in features), default=0.0),
        scale=max((shift.scale for shift in features), key=abs, default=0.0),
        dead=len(dead_numbers(profile, unflagged(changed), _before(request, scorer.manifest.schema, recent, changed))),
        flagged=flagged_share(recent.predictions),
        # An imitation of what answered elsewhere says nothing of how that was served.
        mismatch=0.0 if scorer.manifest.is_stand_in else mismatch_share(scorer, recent.predictions),
        recurring=nearness(scorer.manifest.schema, profile, unflagged(recent.predictions), recent.stretches),
        delay_ratio=labels.delay_ratio,
        one_class=labels.one_class,
        corrected=labels.corrected,
        labels_missing=recent.before.num_rows > 0 and recent.outcomes.num_rows < recent.before.num_rows / 10,
        segment_excess=segment.excess,
        segment_share=segment.share,
        swap_days=swap.days,
        swap_chance=swap.chance,
        swap_loss_z=swap.loss_z,
        swap_loss_change=swap.loss_change,
        swap_psi=swap.psi,
        told=told_by(request.events),
    )


def _stretches(lake: Lake, request: Input, schema: ModelSchema) -> list[pa.Table]:
    """Return earlier stretches of the recent range's length, newest first; they are read at once."""
    ends = request.now_ms - request.recent_ms
    starts = [start for count in range(1, STRETCHES + 1) if (start := ends - count * request.recent_ms) >= 0]
    if not starts:
        return []
    names = ["time_ms", *schema.numbers, "flags"]
    rows = unflagged(lake.read(request.model, "predictions", names, since_ms=starts[-1], until_ms=ends))
    times = integers(rows, "time_ms")
    order = np.argsort(times, kind="stable")
    edges = np.searchsorted(times[order], [*starts[::-1], ends])
    parts = [rows.take(pa.array(order[first:last])) for first, last in pairwise(edges)]
    return parts[::-1]


def _slices(schema: ModelSchema, mine: pa.Table, found: Floats, usual: float) -> list[SliceLoss]:
    parts = slices_of(schema, mine, SLICE_ROWS, most=200)
    losses = [(part, float(found[part.rows].mean())) for part in parts]
    worst = sorted(losses, key=lambda pair: (-(pair[1] - usual) * int(pair[0].rows.sum()), pair[0].name))[:MOST_SLICES]
    return [SliceLoss(slice=part.name, rows=int(part.rows.sum()), loss=loss, excess=loss - usual) for part, loss in worst]
