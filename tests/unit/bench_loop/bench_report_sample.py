"""A made-up bench report: twenty scenarios, five policies. Texts and numbers are invented, the shapes are those of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tests.bench.closed_loop.report.model import (
    Bar,
    BenchReport,
    IncidentResult,
    Injected,
    Judgement,
    Pace,
    PolicyResult,
    Promotion,
    Quality,
    ScenarioResult,
)

POLICIES = ("driftwake", "never", "weekly", "loss_alarm", "oracle")
WHO = ("the loop", "the first champion, left alone", "refits every Monday", "refits when ADWIN fires", "knows the onset")
DAY_MS = 86_400_000
EPOCH_MS = int(dt.datetime(2018, 4, 1, tzinfo=dt.UTC).timestamp() * 1_000)
DIGEST = "3f" * 32

Text = Callable[[str], str]


class Plot(NamedTuple):
    """What makes one scenario differ from the next: when it changes, how far never and the others fall, what is done to it."""

    id: str
    title: str
    data: str
    onset: int | None
    falls: tuple[float, float, float, float, float]
    retrains: tuple[int, int, int, int, int]
    injected: tuple[str, ...]
    cause: str
    action: str
    said: str
    bars: tuple[tuple[str, float, bool, float | None], ...]


def _plot(
    id: str,  # noqa: A002 - the field's name
    title: str,
    data: str = "fraud",
    *,
    onset: int | None = 77,
    falls: tuple[float, float, float, float, float] = (0.03, 0.25, 0.12, 0.15, 0.02),
    retrains: tuple[int, int, int, int, int] = (1, 0, 7, 2, 2),
    injected: tuple[str, ...] = (),
    cause: str = "new_segment",
    action: str = "search_features",
    said: str | None = None,
    bars: tuple[tuple[str, float, bool, float | None], ...] = (),
) -> Plot:
    return Plot(id, title, data, onset, falls, retrains, injected, cause, action, cause if said is None else said, bars)


CALM = (0.0, 0.0, 0.005, 0.01, 0.0)
# Of each bar: metric, limit, whether the limit is the lowest value, what was measured.
PLOTS = (
    _plot(
        "C0",
        "calm",
        onset=None,
        falls=CALM,
        retrains=(0, 0, 7, 1, 0),
        cause="",
        action="",
        bars=(("promotions", 0, False, 0), ("incidents", 1, False, 1)),
    ),
    _plot("C1", "cold start", onset=30, cause="histories_filled", action="retrain", bars=(("promotions", 1, False, 1),)),
    _plot(
        "C2",
        "sudden concept change",
        "synthetic",
        cause="concept_change",
        action="retrain",
        bars=(("labels_to_recover", 1_000, False, 1_312),),
    ),
    _plot(
        "C3",
        "gradual concept change",
        "synthetic",
        cause="concept_change",
        action="retrain",
        retrains=(2, 0, 7, 5, 2),
        bars=(("promotions", 3, False, 2),),
    ),
    _plot(
        "C4",
        "an old regime returns",
        "synthetic",
        cause="recurring",
        action="restore_archived",
        said="concept_change",
        bars=(("labels_to_recover", 500, False, None), ("retrains", 0, False, 1)),
    ),
    _plot(
        "C5",
        "inputs move, loss doesn't",
        falls=CALM,
        retrains=(0, 0, 7, 0, 1),
        injected=("local_hour + 5",),
        cause="harmless_shift",
        action="log",
        bars=(("promotions", 0, False, 0),),
    ),
    _plot(
        "C6",
        "harmful shift before labels",
        "car loan",
        cause="covariate_shift",
        action="retrain",
        said="",
        bars=(("hours_to_detect", 72, False, None),),
    ),
    _plot(
        "C7",
        "biased label delay",
        "hotel",
        cause="immature_labels",
        action="wait_for_labels",
        bars=(("live_quality", 0.76, True, 0.771),),
    ),
    _plot(
        "C8",
        "amounts in cents for a week",
        injected=("amount x 100",),
        cause="data_break",
        action="alert_upstream",
        retrains=(0, 0, 7, 3, 0),
        bars=(("promotions", 0, False, 0), ("hours_to_hold_out", 1, False, 0.75), ("live_quality", 0.7, True, 0.719)),
    ),
    _plot(
        "C9",
        "null burst, unseen category",
        injected=("terminal_id 30 % null",),
        cause="data_break",
        action="alert_upstream",
        retrains=(0, 0, 7, 1, 0),
        bars=(("promotions", 0, False, 0),),
    ),
    _plot(
        "C10",
        "an upstream column dies",
        injected=("risk = 0",),
        cause="dead_feature",
        action="alert_upstream",
        said="concept_change",
        retrains=(1, 0, 7, 3, 0),
        bars=(("promotions", 0, False, 1),),
    ),
    _plot(
        "C11a",
        "new attack on terminals, dense",
        falls=(0.05, 0.5, 0.31, 0.3, 0.03),
        injected=("12 bursts a day",),
        bars=(("live_quality", 0.75, True, 0.802),),
    ),
    _plot(
        "C11b",
        "new attack on terminals, thin",
        falls=(0.1, 0.4, 0.28, 0.3, 0.06),
        injected=("3 bursts a day",),
        bars=(("live_quality", 0.68, True, 0.655),),
    ),
    _plot(
        "C12",
        "new attack on customers",
        falls=(0.04, 0.42, 0.2, 0.22, 0.03),
        injected=("12 bursts a day",),
        bars=(("live_quality", 0.75, True, 0.78),),
    ),
    _plot(
        "C13a",
        "missing feature, with price",
        "elec2",
        cause="missing_feature",
        retrains=(2, 0, 16, 40, 2),
        bars=(("live_quality", 0.97, True, 0.973), ("promotions", 3, False, 2)),
    ),
    _plot(
        "C14a",
        "seasonal",
        "flights",
        cause="seasonal",
        action="retrain",
        retrains=(4, 0, 26, 9, 2),
        bars=(("retrains", 6, False, 4), ("live_quality", 0.74, True, 0.744)),
    ),
    _plot(
        "C15",
        "poisoned labels",
        injected=("40 % of frauds lost",),
        cause="label_fault",
        action="refuse_challenger",
        retrains=(1, 0, 7, 2, 0),
        bars=(("promotions", 0, False, 0),),
    ),
    _plot(
        "C16",
        "unit change inside an attack",
        injected=("12 bursts a day", "amount x 100"),
        cause="data_break",
        action="alert_upstream",
        bars=(("live_quality", 0.7, True, 0.731),),
    ),
    _plot(
        "C18",
        "a swap that is bad",
        onset=None,
        falls=CALM,
        cause="bad_bundle",
        action="roll_back",
        bars=(
            ("rows_lost", 0, False, 0),
            ("rows_doubled", 0, False, 0),
            ("rows_misattributed", 0, False, 0),
            ("p99_ratio", 1.2, False, 1.07),
        ),
    ),
    _plot(
        "C19",
        "ten times the rate, broker restart",
        injected=("rate x 10",),
        bars=(("rows_lost", 0, False, None), ("rows_doubled", 0, False, None)),
    ),
)


def sample_report(text: Text = str, *, wall: float = 1.0) -> BenchReport:
    """Build the sample; `text` is applied to every free text, so that tests can make all hostile, `wall` to all wall times."""
    return BenchReport(
        title=text("driftwake: closed-loop bench"),
        version=text("0.1.0"),
        scenarios=tuple(_scenario(plot, place, text, wall) for place, plot in enumerate(PLOTS)),
        bars=(
            Bar(metric=text("right_diagnosis_rows"), at_least=17, value=16, held=False),
            Bar(metric=text("retrains_against_daily"), at_most=0.1, value=0.041, held=True),
            Bar(metric=text("worst_quality_against_weekly"), at_least=-0.01, value=None, held=None),
        ),
    )


def _scenario(plot: Plot, place: int, text: Text, wall: float) -> ScenarioResult:
    random = np.random.default_rng(place)
    first, last = (28, 63) if plot.id == "C1" else (70, 121)
    start_ms, end_ms = EPOCH_MS + first * DAY_MS, EPOCH_MS + last * DAY_MS
    failed = plot.id == "C19"
    onset_ms = None if plot.onset is None else EPOCH_MS + plot.onset * DAY_MS
    policies = tuple(
        _policy(plot, slot, text, random, (start_ms, end_ms)) for slot in range(len(POLICIES)) if not (failed and slot > 1)
    )
    return ScenarioResult(
        id=text(plot.id),
        title=text(plot.title),
        data=text(plot.data),
        seed=7,
        start_ms=start_ms,
        end_ms=end_ms,
        quality_metric=text("average precision by week"),
        onset_ms=onset_ms,
        injected=tuple(
            Injected(
                what=text(what),
                start_ms=EPOCH_MS + (77 + 14 * order) * DAY_MS,
                end_ms=EPOCH_MS + ((84 if " x " in what or "null" in what else 121) + 14 * order * (" x " in what)) * DAY_MS,
            )
            for order, what in enumerate(plot.injected)
        ),
        policies=policies,
        incidents=_incidents(plot, text),
        bars=tuple(_bar(one, text) for one in plot.bars),
        values=_values(plot, text, [policy.name for policy in policies], random),
        diagnosis=_diagnosis(plot, text),
        action=_action(plot, text),
        pace=None
        if failed
        else Pace(wall_seconds=61.5 * wall, events=487_231, events_per_second=7_922.0 / wall, virtual_to_wall=71_650.0 / wall),
        failed=text("the broker did not come back within 60 s") if failed else None,
        log_digest="" if failed else DIGEST,
    )


def _policy(plot: Plot, slot: int, text: Text, random: np.random.Generator, span: tuple[int, int]) -> PolicyResult:
    start_ms, end_ms = span
    starts = list(range(start_ms, end_ms, 7 * DAY_MS))
    onset_ms = end_ms if plot.onset is None else EPOCH_MS + plot.onset * DAY_MS
    level = np.array([0.74 - plot.falls[slot] * (time >= onset_ms) for time in starts])
    if slot not in (1, 4):
        # Who adapts loses as much as never at first, then recovers.
        level = np.where([onset_ms <= time < onset_ms + 14 * DAY_MS for time in starts], 0.74 - plot.falls[1] * 0.8, level)
    noise = random.normal(0, 0.012, len(starts))
    values: list[float | None] = [float(value) for value in level + noise]
    if plot.id == "C6":
        values[3] = None
    count = plot.retrains[slot]
    times = np.linspace(max(start_ms, min(onset_ms, end_ms - 20 * DAY_MS)) + 3 * DAY_MS, end_ms - 3 * DAY_MS, count + 1)[:count]
    found = [value for value in values if value is not None]
    return PolicyResult(
        name=text(POLICIES[slot]) if slot else POLICIES[0],
        who=text(WHO[slot]),
        quality=tuple(
            Quality(label=text(f"week {week}"), start_ms=start, value=value)
            for week, (start, value) in enumerate(zip(starts, values, strict=True), 1)
        ),
        mean_quality=None if plot.id == "C19" else sum(found) / len(found),
        retrains=count + (plot.id == "C15" and slot == 0),
        promotions=tuple(
            Promotion(
                time_ms=int(time), generation=generation, digest=f"{generation:02d}{DIGEST}", why=text("a gain in the gate")
            )
            for generation, time in enumerate(times, 2)
        ),
    )


def _incidents(plot: Plot, text: Text) -> tuple[IncidentResult, ...]:
    if plot.onset is None and plot.id != "C0":
        return ()
    opened = EPOCH_MS + (plot.onset or 91) * DAY_MS + 7 * 3_600_000
    first = IncidentResult(
        opened_ms=opened, closed_ms=opened + 9 * DAY_MS, cause=text(plot.said), action=text(plot.action), state=text("promoted")
    )
    second = IncidentResult(opened_ms=opened + 20 * DAY_MS, state=text("open"))
    return (first, second) if plot.id in {"C16", "C3"} else (first,)


def _bar(one: tuple[str, float, bool, float | None], text: Text) -> Bar:
    metric, limit, is_lowest, value = one
    return Bar(
        metric=text(metric),
        at_least=limit if is_lowest else None,
        at_most=None if is_lowest else limit,
        first_day=84 if metric == "live_quality" else None,
        last_day=113 if metric == "live_quality" else None,
        value=value,
        held=None if value is None else value >= limit if is_lowest else value <= limit,
    )


def _values(plot: Plot, text: Text, names: list[str], random: np.random.Generator) -> dict[str, dict[str, float | None]]:
    """Give every policy a recovered share, driftwake a delay; a time that could not be had is None."""
    shares: dict[str, float | None] = {name: float(share) for name, share in zip(names, random.uniform(0, 1, 5), strict=False)}
    found: dict[str, dict[str, float | None]] = {
        text("recovered_share"): shares if plot.onset else dict.fromkeys(names),
        text("hours_to_recover"): {name: None if name == "never" else float(random.integers(1, 30) * 24) for name in names},
        text("alerts"): {name: float(name == "driftwake" and plot.action == "alert_upstream") for name in names},
        text("tokens"): dict.fromkeys(names, 0.0),
        text("retrains"): {name: float(count) for name, count in zip(names, plot.retrains, strict=False)},
        text("promotions"): {name: float(count) for name, count in zip(names, plot.retrains, strict=False)},
    }
    if plot.data == "fraud":
        found[text("missed_amount")] = {name: 90_000 * (1 + fall) for name, fall in zip(names, plot.falls, strict=False)}
    if plot.onset:
        found[text("hours_to_detect")] = {POLICIES[0]: float(random.uniform(3, 60))}
    return found


def _diagnosis(plot: Plot, text: Text) -> Judgement:
    if plot.id == "C19":
        return Judgement(accepted=(text(plot.cause),))
    accepted = (text(plot.cause),) if plot.cause else ()
    said = (text(plot.said),) if plot.said else ()
    return Judgement(accepted=accepted, said=said, is_right=plot.said == plot.cause)


def _action(plot: Plot, text: Text) -> Judgement:
    if plot.id == "C19":
        return Judgement(accepted=(text(plot.action),))
    taken = "retrain" if plot.id in {"C4", "C10"} else plot.action
    return Judgement(
        accepted=(text(plot.action),) if plot.action else (),
        forbidden=(text("retrain"),) if plot.action == "alert_upstream" else (),
        said=(text(taken),) if taken else (),
        is_right=taken == plot.action,
    )
