"""Compare champion and challenger on the same rows: sealed ones that no search has seen, or live ones that both have scored.

Differences are paired and in the direction `higher is better`: for an error such as `rmse` the champion's less the challenger's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.errors import InputError, NoDataError
from skills._kit.features import longest_reach_ms, unflagged
from skills._kit.frames import Booleans, Floats, floats, integers, read_table, with_columns
from skills._kit.goals import Goal, Reached, Rows, Side, reached
from skills._kit.metrics import Estimate, calibration_error, compared, metric_name
from skills._kit.scoring import score_table
from skills._kit.skill import Need, Spec
from skills._kit.slices import Slice, ranges_of, slices_of
from skills._kit.sources import facts_of, keys_of, newest_known, shown, windows_of
from streams.contracts.bundle import Interval
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock

LEAST_ROWS = 20
SLICE_DRAWS = 300
BATCH = 1_000
BATCHES = 5


class Live(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outcomes that became known in [since_ms, until_ms), and the slots that served champion and challenger then."""

    since_ms: int
    until_ms: int
    champion_slot: str
    challenger_slot: str


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of `sealed` (a data set's path) and `live`; `goals` are asked of both models on the same rows."""

    lake: str
    registry: str
    model: str
    champion: str
    challenger: str
    sealed: str | None = None
    live: Live | None = None
    seed: int = 0
    goals: tuple[Goal, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Challenger less champion, higher is better, with 95 % and 99.9 % intervals."""

    value: float
    low: float
    high: float
    low999: float
    high999: float


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """The judged metric of both on the same rows."""

    name: str
    champion: Interval
    challenger: Interval
    difference: Difference


class SliceResult(msgspec.Struct, frozen=True, kw_only=True):
    """Both models on the rows of one slice; `low` and `high` bound the difference."""

    slice: str
    rows: int
    champion: float
    challenger: float
    low: float
    high: float
    difference: Interval


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Expected calibration error of both."""

    champion: float
    challenger: float


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison; what doesn't apply is null."""

    rows: int
    positives: int
    metric: Metric
    slices: list[SliceResult]
    calibration: Calibration | None
    onnx_max_difference: float | None
    latency_ms_per_1000: float | None
    goals: list[Reached] = []


SPEC = Spec(
    summary="Compare champion and challenger on the same rows",
    input=Input,
    output=Output,
    need=Need(seconds=300, memory_mb=4_096),
)


class _Scored(NamedTuple):
    """Rows in order of time, with the scores of both."""

    rows: pa.Table
    champion: Floats
    challenger: Floats


def run(request: Input, work: Path) -> Output:
    """Score, or read the scores, and compare.

    Raises:
        SkillError: there are too few rows, or a bundle or the lake can't be read.
    """
    del work  # nothing is written
    if (request.sealed is None) == (request.live is None):
        raise InputError("give either sealed or live")
    store = BundleStore(Path(request.registry))
    champion, challenger = (load(store, request.model, digest) for digest in (request.champion, request.challenger))
    if champion.manifest.schema.task != challenger.manifest.schema.task:
        raise InputError("the bundles have different tasks")
    scored = _sealed(request, champion, challenger) if request.live is None else _live(request, request.live, champion)
    if scored.rows.num_rows < LEAST_ROWS:
        raise NoDataError(f"{scored.rows.num_rows} rows were scored by both; at least {LEAST_ROWS} are needed")
    task, labels = champion.manifest.schema.task, floats(scored.rows, "label")
    recorded = challenger.manifest.lineage.get("onnx_max_difference")
    return Output(
        rows=len(labels),
        positives=int((labels > 0.5).sum()) if task == "binary" else len(labels),
        metric=_metric(task, labels, scored, request.seed),
        slices=_slices(task, champion, scored, request.seed),
        calibration=_calibration(labels, scored) if task == "binary" else None,
        onnx_max_difference=recorded if isinstance(recorded, float) else None,
        latency_ms_per_1000=_latency(challenger, scored.rows) if request.sealed is not None else None,
        goals=reached(request.goals, _rows(champion, challenger, scored), request.seed),
    )


def _rows(champion: Scorer, challenger: Scorer, scored: _Scored) -> Rows:
    sides = (
        Side(scorer.digest, scorer.manifest.threshold, scores)
        for scorer, scores in ((champion, scored.champion), (challenger, scored.challenger))
    )
    return Rows(champion.manifest.schema, scored.rows, *sides)


def _sealed(request: Input, champion: Scorer, challenger: Scorer) -> _Scored:
    rows = read_table(request.sealed or "").sort_by([("time_ms", "ascending"), ("id", "ascending")])
    wanted = windows_of(champion.manifest, challenger.manifest.windows)
    missing = [window for window in wanted if window.name not in rows.column_names]
    if missing and rows.num_rows:
        time_ms, skew_ms = integers(rows, "time_ms"), challenger.manifest.skew_ms
        since_ms = max(0, int(time_ms.min()) - longest_reach_ms(missing, skew_ms))
        schema, lake = challenger.manifest.schema, Lake(request.lake)
        until_ms, keys = int(time_ms.max()) + 1, keys_of(missing)
        facts = facts_of(lake, request.model, schema, skew_ms, since_ms=since_ms, until_ms=until_ms, keys=keys)
        values = facts.columns(missing, rows)
        rows = with_columns(rows, [window.name for window in missing], [values[:, i] for i in range(len(missing))])
    if champion.manifest.is_stand_in:
        # What it imitates has answered these rows itself: that counts, and no imitation.
        rows = rows.filter(pc.equal(rows.column("digest"), request.champion))
        return _Scored(rows, floats(rows, "score"), score_table(challenger, rows))
    return _Scored(rows, *(score_table(scorer, rows) for scorer in (champion, challenger)))


def _live(request: Input, live: Live, champion: Scorer) -> _Scored:
    """Read what was served; a row counts when both slots held the asked bundles while it was scored."""
    lake = Lake(request.lake)
    declared = [column.name for column in shown(lake, request.model, champion.manifest.schema).columns]
    wanted = ["id", "time_ms", "known_ms", "revision", "label", "score", "digest", "route", "shadows", "flags", *declared]
    found = lake.read(request.model, "outcomes", wanted, since_ms=live.since_ms, until_ms=live.until_ms, time_column="known_ms")
    rows = newest_known(unflagged(found), live.until_ms).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    scores = [
        _slot_scores(rows, slot, digest)
        for slot, digest in ((live.champion_slot, request.champion), (live.challenger_slot, request.challenger))
    ]
    both = np.isfinite(scores[0]) & np.isfinite(scores[1])
    return _Scored(rows.filter(pa.array(both)), scores[0][both], scores[1][both])


def _slot_scores(rows: pa.Table, slot: str, digest: str) -> Floats:
    """Return each row's score by `digest` in `slot`, NaN where another bundle was there or none.

    With a canary, who didn't answer a row stands among its shadows.
    """
    routes: Booleans = pc.equal(rows.column("route"), slot).to_numpy()
    served: Booleans = routes & pc.equal(rows.column("digest"), digest).to_numpy()
    found: list[list[dict[str, Any]] | None] = rows.column("shadows").to_pylist()
    scores = [
        next((float(one["score"]) for one in shadows or [] if one["name"] == slot and one["digest"] == digest), np.nan)
        for shadows in found
    ]
    return np.where(served, floats(rows, "score"), np.array(scores, dtype=np.float64))


def _metric(task: str, labels: Floats, scored: _Scored, seed: int) -> Metric:
    old, new, difference = _compared(task, labels, scored, seed)
    return Metric(
        name=metric_name(task),
        champion=Interval(old.value, old.low, old.high),
        challenger=Interval(new.value, new.low, new.high),
        difference=Difference(**difference._asdict()),
    )


def _compared(task: str, labels: Floats, scored: _Scored, seed: int, draws: int = 1_000) -> tuple[Estimate, Estimate, Estimate]:
    old, new, difference = compared(task, labels, scored.champion, scored.challenger, seed=seed, draws=draws)
    if task == "binary":
        return old, new, difference
    value, low, high, low999, high999 = difference
    return old, new, Estimate(-value, -high, -low, -high999, -low999)


def _slices(task: str, champion: Scorer, scored: _Scored, seed: int) -> list[SliceResult]:
    labels, schema = floats(scored.rows, "label"), champion.manifest.schema
    parts = slices_of(schema, scored.rows) or ranges_of(schema, scored.rows)
    return [_slice(task, part, labels, scored, seed) for part in parts]


def _slice(task: str, part: Slice, labels: Floats, scored: _Scored, seed: int) -> SliceResult:
    inside = _Scored(scored.rows, scored.champion[part.rows], scored.challenger[part.rows])
    old, new, difference = _compared(task, labels[part.rows], inside, seed, SLICE_DRAWS)
    return SliceResult(
        slice=part.name,
        rows=int(part.rows.sum()),
        champion=old.value,
        challenger=new.value,
        low=difference.low,
        high=difference.high,
        difference=Interval(difference.value, difference.low, difference.high),
    )


def _calibration(labels: Floats, scored: _Scored) -> Calibration:
    return Calibration(
        champion=calibration_error(labels, scored.champion), challenger=calibration_error(labels, scored.challenger)
    )


def _latency(scorer: Scorer, rows: pa.Table) -> float:
    """Return the time of a batch of 1,000 rows in milliseconds, the least of some: what else the machine does only adds to it.

    Where there are fewer rows they are repeated, because a call costs something of its own, however few rows it has.
    """
    clock, took = SystemClock(), []
    batch = rows.take(pa.array(np.arange(BATCH) % rows.num_rows))
    for _ in range(BATCHES):
        begun = clock.monotonic()
        score_table(scorer, batch)
        took.append(clock.monotonic() - begun)
    return min(took) * 1_000
