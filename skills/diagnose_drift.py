"""Find out what is behind drift events: measure, weigh the causes, show the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.archives import Archive, ArchivedGain, gains_of, newest_rows, surely_returned
from skills._kit.calendars import beyond_calendar, calendar_psi
from skills._kit.causes import UNTRUSTED, Signs, WeighedCause, weigh
from skills._kit.changes import Changed, Delays, change_of
from skills._kit.errors import InputError, NoDataError
from skills._kit.evidence import (
    Labels,
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
from skills._kit.headroom import MOST_FACTS, MOST_ROWS, headroom_of
from skills._kit.performance import Performance, performance_of
from skills._kit.ranges import Lengths
from skills._kit.recent import LOOK_BACK, Range, Recent, asked_with, before, earlier, reaching, read_recent
from skills._kit.rescaled import Rescaled, rescaled
from skills._kit.shifts import Shift
from skills._kit.skill import Need, Spec
from skills._kit.slices import slices_of
from skills._kit.sources import facts_of, keys_of, shown
from skills._kit.swaps import UNKNOWN, Place, Span, Swap, swap_of
from skills._kit.told import HARM, OF_INPUTS, spoken_of, told_by
from streams.contracts.events import DriftEvent
from streams.contracts.schema import ModelSchema
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.lake.tables import OUTCOMES, PREDICTIONS

MOVED_PSI = 0.1
MOST_MOVED = 20
MOST_SLICES = 10
SLICE_ROWS = 50
CHANGED_ROWS = 100
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
    rescaled: list[Rescaled] = []


SPEC = Spec(
    summary="Find the cause of drift events",
    input=Input,
    output=Output,
    need=Need(seconds=120, memory_mb=2_048),
)


class _Seen(NamedTuple):
    """Predictions since the change, and how far each feature moved in them.

    `asked` are those that the outcomes are of, where events tell of harm; `told` is what events speak of.
    """

    changed: pa.Table
    shifts: list[Shift]
    asked: pa.Table | None
    labels: Labels
    swap: Swap
    told: dict[str, float]


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
    of = reaching(Range(lake, request.model, request.now_ms, request.recent_ms), request.recent_rows)
    request = msgspec.structs.replace(request, recent_ms=of.recent_ms)
    seen = shown(lake, request.model, schema)
    recent = read_recent(of, seen)
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
    swap = _swap(request, Place(of, seen, profile))
    told = told_by(request.events)
    asked = asked_with(of, seen, mine.filter(pa.array(speaks))) if HARM & told.keys() else None
    own = _Own(mine, found, speaks, performance)
    signs = _signs(request, scorer, recent, own, _Seen(changed, shifts, asked, labels, swap, told))
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
        headroom=None if _is_broken(causes) else _headroom(archive, request, scorer, performance.metric),
        expected=_expected(request, scorer, changed, shifts),
        change=change,
        archived=archived,
        rescaled=rescaled(profile, changed, schema.numbers)[:MOST_MOVED],
    )


def _shifts(request: Input, scorer: Scorer, recent: Recent, changed: pa.Table) -> list[Shift]:
    """Say how far each column and the score moved, beyond what the days and hours of the change do by themselves."""
    schema = scorer.manifest.schema
    usual = calendar_psi(scorer.profile, earlier(recent, schema), _begin(changed), request.now_ms)
    return beyond_calendar(shifts_of(schema, scorer.profile, changed), usual)


def _begin(rows: pa.Table) -> int:
    return int(integers(rows, "time_ms").min())


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


def _headroom(archive: Archive, request: Input, scorer: Scorer, metric: str) -> Missed | None:
    """Look back over more than the recent range: a feature that was always missing is worth as much as one that is now."""
    manifest, lake = scorer.manifest, archive.lake
    if not lake.exists(request.model, "outcomes"):
        return None
    first_ms = max(0, request.now_ms - LOOK_BACK * request.recent_ms)
    keys = keys_of(manifest.windows)
    declared = [column.name for column in shown(lake, request.model, manifest.schema, keys).columns]
    wanted = ["id", "time_ms", "known_ms", "revision", *declared, "label", "flags"]
    newest = newest_rows(archive, wanted, (first_ms, request.now_ms), keys, most=MOST_ROWS)
    if newest is None:
        return None
    reach_ms = max(longest_reach_ms(manifest.windows, manifest.skew_ms), max(RANGES_MS) + manifest.skew_ms)
    since_ms = max(0, int(integers(newest.rows, "time_ms")[0]) - reach_ms)
    if (
        sum(lake.count(request.model, one, since_ms=since_ms, until_ms=request.now_ms) for one in (PREDICTIONS, OUTCOMES))
        > MOST_FACTS
    ):
        return None
    facts = facts_of(
        lake, request.model, manifest.schema, manifest.skew_ms, since_ms=since_ms, until_ms=request.now_ms, keys=keys
    )
    found = headroom_of(scorer, newest.rows, facts, SEED)
    if found is None:
        return None
    gain = found.gain
    windows = [window.text for window in found.windows]
    return Missed(windows=windows, metric=metric, value=gain.value, low=gain.low, high=gain.high, rows=found.rows)


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


def _signs(request: Input, scorer: Scorer, recent: Recent, own: _Own, seen: _Seen) -> Signs:
    (mine, found, speaks, performance), changed, profile, schema = own, seen.changed, scorer.profile, scorer.manifest.schema
    above, change = loss_change(profile, found[speaks])
    expected_above, expected_change = estimated_change(profile, changed)
    features = [shift for shift in seen.shifts if shift.feature != "score"]
    # What was broken when the labelled rows were asked is why they were answered badly, also when it is well again.
    asked = [seen.asked] if seen.asked is not None and seen.asked.num_rows else []
    columns = [*features, *(shift for part in asked for shift in shifts_of(schema, profile, part) if shift.feature != "score")]
    windows = [shift for part in (changed, *asked) for shift in window_shifts(profile, part)]
    of_labels = {window.name for window in scorer.manifest.windows if window.source == "outcomes"}
    segment, labels, swap = new_segment(profile, mine, found), seen.labels, seen.swap
    return Signs(
        loss_z=above,
        loss_change=change,
        quality_drop=performance.drop,
        estimated_z=expected_above,
        estimated_change=expected_change,
        psi=max((shift.statistic for shift in features), default=0.0),
        missing=max((shift.missing for shift in columns), default=0.0),
        windows_missing=max((shift.missing for shift in windows), default=0.0),
        # Where labels follow another rule, what windows make of them is strange, and right.
        windows_strange=max((shift.strange for shift in windows if shift.feature not in of_labels), default=0.0),
        strange=max((shift.strange for shift in columns), default=0.0),
        scale=max((shift.scale for shift in columns), key=abs, default=0.0),
        dead=len(dead_numbers(profile, unflagged(changed), before(recent, schema, _begin(changed), request.now_ms))),
        flagged=max(flagged_share(part) for part in (recent.predictions, *asked)),
        # An imitation of what answered elsewhere says nothing of how that was served.
        mismatch=0.0 if scorer.manifest.is_stand_in else mismatch_share(scorer, recent.predictions),
        recurring=nearness(schema, profile, unflagged(recent.predictions), recent.stretches),
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
        told=seen.told,
    )


def _slices(schema: ModelSchema, mine: pa.Table, found: Floats, usual: float) -> list[SliceLoss]:
    parts = slices_of(schema, mine, SLICE_ROWS, most=200)
    losses = [(part, float(found[part.rows].mean())) for part in parts]
    worst = sorted(losses, key=lambda pair: (-(pair[1] - usual) * int(pair[0].rows.sum()), pair[0].name))[:MOST_SLICES]
    return [SliceLoss(slice=part.name, rows=int(part.rows.sum()), loss=loss, excess=loss - usual) for part, loss in worst]
