"""Calibrate a bundle's monitors on a log: learn what is usual, say what alarms it would mean, and publish it in a new bundle.

What is written is learnt from the whole log. What is said of alarms and of power comes from its last third, watched with what was
learnt from the first two, because an expectation that has seen the very buckets that it judges looks better than it is.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from skills._kit.errors import InputError, NoDataError
from skills._kit.frames import integers
from skills._kit.history import History, Logged, history_of
from skills._kit.lacking import lacking_of
from skills._kit.powers import Found, Group, Judge, Replay, alarms_in, powers_in
from skills._kit.profiles import resliced
from skills._kit.progress import Progress
from skills._kit.reading import Read, Tell, read_buckets
from skills._kit.skill import Need, Spec
from skills._kit.usual import Watch, asked_of, fits, label_delay_ms, views_of
from streams.calibration.learning import FEWEST_BUCKETS, learn_normal, levels_of, weeks_missing
from streams.calibration.learning import History as Levels
from streams.calibration.panel import Panel
from streams.calibration.power import Rule, rate_of
from streams.contracts.bundle import REFERENCE_FILE, Interval, Normal, Usual
from streams.contracts.schema import ModelSchema
from streams.detectors.base import Floors
from streams.inference.session import graph_of
from streams.inference.store import Bundle, BundleStore, write_bundle
from streams.monitoring.config import COVERAGE, MONTH_MS, MonitoringConfig
from streams.monitoring.watching import usable
from streams.runtime.clock import SystemClock, WallClock
from streams.runtime.durations import Duration
from streams.statistics.alarms import Tail
from streams.statistics.calendar import DAY_MS

_WEEK_MS = 7 * DAY_MS
LEARNT = 2 / 3
"""The first part of the buckets, from which is learnt what the others are judged by."""


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bundle` is the digest of what is calibrated; for `table`, `sources`, `schema` and `key_file` see `Logged`.

    `watch`, `alarms_per_month`, `floors` (see `effect_floors`) and `cooldown_ms` are how the model is monitored. With `partial`,
    detectors that the history can't support stay as they were instead of being a reason to refuse. `dry` publishes nothing.
    """

    registry: str
    model: str
    bundle: str
    table: str
    schema: ModelSchema
    watch: Watch
    alarms_per_month: float
    sources: dict[str, str] = {}
    key_file: str | None = None
    floors: dict[str, float] = {}
    cooldown_ms: int = 0
    partial: bool = False
    dry: bool = False
    seed: int = 0


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """One detector and kind of event.

    `weeks_missing` is 0 where it was calibrated; `lacks` says what the log has nothing of, where nothing was measured for that
    reason, and `left_out` how many of its first buckets weren't read because the detector takes long. Chance may raise `asked`
    alarms a month; for that the signal of it that needs least must be less likely than `chance` in one look. `seen` is how many
    alarms a month the whole log would have raised with what was learnt from it (`seen_alarms` in all), `judged` and
    `judged_alarms` the same of the last third with what was learnt before it; both None where it wasn't measured.
    """

    detector: str
    kind: str
    signals: int
    buckets: int
    weeks_missing: int
    lacks: str
    left_out: int
    asked: float
    chance: float
    seen_alarms: int
    seen: Interval | None
    judged_alarms: int
    judged: Interval | None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The published bundle (None of a dry run), what was learnt from, and what it means.

    `filling` rows came first that only fill windows; `unseen_rows` weren't among those that the bundle was made of, of which
    `labelled_rows` have labels. The whole spans [since, until); changes were put into buckets from `judged_ms` on, and none were
    where that is None.
    """

    digest: str | None
    parent: str
    since_ms: int
    until_ms: int
    bucket_ms: int
    rows: int
    filling: int
    unseen_ms: int
    unseen_rows: int
    labelled_rows: int
    judged_ms: int | None
    detectors: list[Detector]
    powers: list[Found]
    seconds: float


SPEC = Spec(
    summary="Calibrate a bundle's monitors on a log",
    input=Input,
    output=Output,
    need=Need(seconds=300, memory_mb=4_096),
    changes=("registry",),
)


class _Support(NamedTuple):
    """How much of a history there is for one group: the signal that was measured least, in how many buckets, weeks missing.

    `judged` is in how many buckets of the last part, 0 where the first has too few to learn from; `lacks` what the log has
    nothing of.
    """

    signal: str
    buckets: int
    weeks: int
    judged: int
    lacks: str


class _Past(NamedTuple):
    """What the log's buckets gave: whose signals they are, and their levels, which are as large as all else together."""

    panel: Panel
    levels: Levels


class _Learnt(NamedTuple):
    """What was learnt from all of the history and, where that was enough, from its first part, up to a bucket's number."""

    normal: Normal
    first: Normal | None
    begin: int


def run(request: Input, work: Path) -> Output:
    """Learn, judge, publish; says in `work` how far it is. Same input, same digest.

    Raises:
        SkillError: the history can't support the asked rate, or something can't be read.
    """
    clock, progress = SystemClock(), Progress(work)
    begun = clock.monotonic()
    bundle = BundleStore(Path(request.registry)).read(request.model, request.bundle)
    history = history_of(bundle, Logged(request.table, request.sources, request.schema, request.key_file))
    progress.say(f"{history.rows.table.num_rows:,} rows read in {clock.monotonic() - begun:.1f} s")
    bundle = bundle._replace(profile=resliced(bundle.profile, bundle.manifest.schema, request.watch, history.rows))
    replay, read = _read(request, bundle, history, clock, progress.say)
    past = _Past(read.recorded, levels_of(read.recorded, replay.views, read.readings))
    supports = _supports(request, past, history)
    _refuse(request, supports, history)
    progress.say("learning what is usual")
    learnt = _learn(request, replay, past, bundle, supports)
    progress.say("counting the alarms that the log would have raised")
    detectors = _detectors(request, replay, read, learnt, supports)
    powers = []
    if learnt.first is not None:
        rule = Rule(_tail(learnt.first).threshold(request.watch.alarm_rate), replay.config.confirm_after, replay.bucket_ms)
        powers = powers_in(replay, read.recorded, Judge(learnt.first, learnt.begin, rule), request.seed, progress.say)
    found = Output(
        digest=None,
        parent=bundle.digest,
        since_ms=learnt.normal.since_ms,
        until_ms=learnt.normal.until_ms,
        bucket_ms=replay.bucket_ms,
        rows=history.rows.table.num_rows,
        filling=history.filling,
        unseen_ms=history.unseen_ms,
        unseen_rows=len(history.rows.later.time_ms),
        labelled_rows=_labelled(history),
        judged_ms=replay.views[learnt.begin].start_ms if learnt.first is not None else None,
        detectors=detectors,
        powers=[one for one in powers if (support := supports[one.detector, one.kind]).judged and not support.weeks],
        seconds=clock.monotonic() - begun,
    )
    if request.dry:
        return found
    digest = _publish(request, work, bundle, learnt.normal, found)
    return msgspec.structs.replace(found, digest=digest, seconds=clock.monotonic() - begun)


def _read(request: Input, bundle: Bundle, history: History, clock: WallClock, tell: Tell) -> tuple[Replay, Read]:
    """Sum up the log's buckets, and read each once with each detector."""
    config, store = _config(request), BundleStore(Path(request.registry))
    read_rows = functools.partial(store.read_reference, request.model, request.bundle)
    open_graph = functools.partial(graph_of, bundle)
    wait_ms = label_delay_ms(history.rows.later)
    replay = Replay(
        bundle.manifest, bundle.profile, config, request.watch.bucket_ms, [], read_rows, open_graph, label_delay_ms=wait_ms
    )
    panel = Panel(config.detectors, replay.setup())
    try:
        if not fits(request.watch, panel, history.rows):
            raise InputError("the log spans too many buckets for its signals to be held at once; give a shorter one")
        views = views_of(
            request.watch, bundle.manifest, bundle.profile, history.rows, reads_sample=panel.reads_sample, is_whole=True
        )
        weeks = weeks_missing(0, request.watch.bucket_ms, request.alarms_per_month)
        return replay._replace(views=views), read_buckets(panel, views, weeks * _WEEK_MS // replay.bucket_ms + 1, clock, tell)
    finally:
        panel.close()


def _labelled(history: History) -> int:
    return int((history.rows.later.known_ms >= 0).sum())


def _config(request: Input) -> MonitoringConfig:
    watch = request.watch
    try:
        return MonitoringConfig(
            detectors=watch.detectors,
            false_alarms_per_month=request.alarms_per_month,
            effect_floors=Floors(**request.floors),
            min_rows=watch.min_rows,
            confirm_after=watch.confirm_after,
            clear_after=watch.clear_after,
            cooldown=Duration(request.cooldown_ms),
        )
    except ValueError as error:
        raise InputError(f"the monitoring's settings: {error}") from error


def _supports(request: Input, past: _Past, history: History) -> dict[Group, _Support]:
    """Say of each group how many weeks its history lacks, by the signal that was measured in the fewest buckets."""
    found: dict[Group, _Support] = {}
    panel, levels = past
    is_known, begin = ~np.isnan(levels.level), _begin(levels)
    for number, group in enumerate(panel.groups):
        signals = np.flatnonzero(panel.group == number)
        least = int(signals[np.argmin(is_known[:, signals].sum(axis=0))])
        early, late = int(is_known[:begin, least].sum()), int(is_known[begin:, least].sum())
        weeks = weeks_missing(early + late, request.watch.bucket_ms, request.alarms_per_month)
        judged = late if early >= FEWEST_BUCKETS else 0
        lacks = "" if early + late else lacking_of(*group, history.rows.table, _labelled(history))
        found[group] = _Support(panel.signals[least].name, early + late, weeks, judged, lacks)
    return found


def _begin(levels: Levels) -> int:
    return int(len(levels.start_ms) * LEARNT)


def _refuse(request: Input, supports: Mapping[Group, _Support], history: History) -> None:
    """Raise where the history can't support what was asked; `partial` allows for detectors that it can't."""
    lacking = {group: one for group, one in supports.items() if one.weeks}
    if not lacking or (request.partial and len(lacking) < len(supports)):
        return
    named = [
        f"{detector} ({kind}) lacks {one.weeks} week{'s' if one.weeks > 1 else ''}, for `{one.signal}` has {one.buckets} buckets"
        f"{f': the log lacks {one.lacks}' if one.lacks else ''}"
        for (detector, kind), one in lacking.items()
    ]
    time_ms = integers(history.rows.table, "time_ms")
    seen = int((time_ms < history.unseen_ms).sum())
    notes = []
    if seen:
        notes.append(f"{seen} of {len(time_ms)} rows were there when the bundle was made, and say nothing of scores and losses")
    if history.filling:
        notes.append(f"the first {history.filling} rows only fill windows")
    raise NoDataError(
        f"the history can't support {request.alarms_per_month:g} false alarms a month; {'; '.join([*named, *notes])}"
    )


def _learn(request: Input, replay: Replay, past: _Past, bundle: Bundle, supports: Mapping[Group, _Support]) -> _Learnt:
    panel, levels = past
    asked, begin = asked_of(request.watch), _begin(levels)
    normal = learn_normal(panel, levels, asked, np.random.default_rng(request.seed))
    if normal is None:
        raise NoDataError(f"{len(levels.start_ms)} buckets are too few to learn from, or lie on too few days")
    normal = msgspec.structs.replace(normal, label_delay_ms=replay.label_delay_ms)
    before = usable(_of_panel(bundle.profile.normal, panel), panel, replay.bucket_ms, replay.config)
    early = Levels(levels.start_ms[:begin], levels.level[:begin], levels.rows[:begin])
    first = learn_normal(panel, early, asked, np.random.default_rng(request.seed))
    return _Learnt(_kept(panel, normal, before, supports), first, begin)


def _kept(panel: Panel, normal: Normal, before: Normal | None, supports: Mapping[Group, _Support]) -> Normal:
    """Let signals of groups that weren't calibrated be what they were, unless they were measured in fewer buckets then."""
    signals = {detector: dict(usual) for detector, usual in normal.signals.items()}
    for number, signal in enumerate(panel.signals):
        detector = panel.places[number].detector
        if not supports[detector, signal.kind].weeks:
            continue
        earlier = before.signals[detector].get(signal.name) if before is not None else None
        found: list[Usual] = [one for one in (earlier, signals[detector].pop(signal.name)) if one is not None and one.buckets]
        if not found:
            continue
        signals[detector][signal.name] = chosen = max(found, key=lambda usual: usual.buckets)
        if detector == COVERAGE and chosen is earlier and before is not None:
            # So many had no label after the time that was waited then.
            normal = msgspec.structs.replace(normal, label_delay_ms=before.label_delay_ms)
    return msgspec.structs.replace(normal, signals=signals)


def _of_panel(normal: Normal | None, panel: Panel) -> Normal | None:
    """Return what was usual of a panel's detectors, which needn't be all that were asked then, nor the same."""
    if normal is None:
        return None
    detectors = dict.fromkeys(place.detector for place in panel.places)
    return msgspec.structs.replace(normal, signals={detector: normal.signals.get(detector, {}) for detector in detectors})


def _detectors(request: Input, replay: Replay, read: Read, learnt: _Learnt, supports: Mapping[Group, _Support]) -> list[Detector]:
    rate, begin, panel = request.watch.alarm_rate, learnt.begin, read.recorded
    threshold = _tail(learnt.normal).threshold(rate)
    seen = alarms_in(replay, panel, learnt.normal)
    judged: Counter[Group] = Counter()
    if learnt.first is not None:
        judged = alarms_in(replay, panel, learnt.first, replay.views[begin].start_ms)
    months = replay.bucket_ms / MONTH_MS
    found = []
    for number, (group, one) in enumerate(supports.items()):
        signals = panel.group == number
        exposure, later = (0, 0) if one.weeks else (one.buckets, one.judged if learnt.first is not None else 0)
        found.append(
            Detector(
                detector=group[0],
                kind=group[1],
                signals=int(signals.sum()),
                buckets=one.buckets,
                weeks_missing=one.weeks,
                lacks=one.lacks,
                left_out=read.left_out[group[0]],
                asked=float(rate / months * panel.parts[number]),
                chance=float(10.0 ** -(threshold + panel.handicaps[signals].min())),
                seen_alarms=seen[group],
                seen=rate_of(seen[group], exposure * months) if exposure else None,
                judged_alarms=judged[group],
                judged=rate_of(judged[group], later * months) if later else None,
            )
        )
    return found


def _tail(normal: Normal) -> Tail:
    return Tail(normal.level, normal.rate, normal.excess)


def _publish(request: Input, work: Path, bundle: Bundle, normal: Normal, found: Output) -> str:
    """Publish the same model with what was learnt; its lineage says of what, on top of what it said before."""
    calibrated = {
        "parent": bundle.digest,
        "table_sha256": hashlib.sha256(Path(request.table).read_bytes()).hexdigest(),
        "since_ms": found.since_ms,
        "until_ms": found.until_ms,
        "rows": found.rows,
        "unseen_rows": found.unseen_rows,
        "labelled_rows": found.labelled_rows,
        "alarms_per_month": request.alarms_per_month,
        "left_as_they_were": sorted({one.detector for one in found.detectors if one.weeks_missing}),
    }
    lineage: dict[str, Any] = {**bundle.manifest.lineage, "calibrated": calibrated}
    store = BundleStore(Path(request.registry))
    reference = (store.path(request.model, bundle.digest) / REFERENCE_FILE).read_bytes()
    if hashlib.sha256(reference).hexdigest() != bundle.manifest.sha256[REFERENCE_FILE]:
        raise InputError(f"{REFERENCE_FILE} of the bundle was altered just now")
    manifest = msgspec.structs.replace(bundle.manifest, lineage=lineage)
    folder = work / "bundle"
    write_bundle(folder, manifest, bundle.model, reference, msgspec.structs.replace(bundle.profile, normal=normal))
    return store.publish(request.model, folder)
