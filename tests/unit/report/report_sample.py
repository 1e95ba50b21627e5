"""A plausible report, generated; the texts are invented, the shapes are those of a replay of half a year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np

from daemon.report.model import (
    Alternative,
    Candidate,
    Cause,
    Check,
    Comparison,
    Delivery,
    Deployed,
    Gate,
    IncidentReport,
    Observation,
    Period,
    Plan,
    ReplayReport,
    Resources,
    Slot,
    Step,
    Swap,
)
from streams.contracts.bundle import Interval
from streams.contracts.events import Evidence

SLOTS = ("driftwake", "left alone", "monthly retraining")
_DAY = 86_400_000


def ms(month: int, day: int, hour: int = 0) -> int:
    """Return a time of the sample's year."""
    return int(dt.datetime(2013, month, day, hour, tzinfo=dt.UTC).timestamp() * 1_000)


def interval(value: float, half: float) -> Interval:
    """Return a symmetric interval."""
    return Interval(value, value - half, value + half)


def sample_report(text: Callable[[str], str] = str) -> ReplayReport:
    """Build the sample; `text` is applied to every free text, so that tests can make all of them hostile."""
    random = np.random.default_rng(5)
    return ReplayReport(
        title=text("Flights, replayed"),
        version=text("0.1.0"),
        data=text("Departures of one region"),
        metric=text("AUC"),
        start_ms=ms(3, 1),
        end_ms=ms(9, 1),
        rows=171_462,
        wall_seconds=312.4,
        slots=(
            Slot(name=text(SLOTS[0]), who=text("the champion that is looked after")),
            Slot(name=text(SLOTS[1]), who=text("the first champion, never touched"), bar=0.05),
            Slot(name=text(SLOTS[2]), who=text("trained anew each month on all labels"), bar=0.02),
        ),
        months=tuple(_period(text, month, random) for month in range(3, 9)),
        weeks=tuple(_week(text, week, random) for week in range(27)),
        swaps=_swaps(text),
        incidents=(_promoted(text), _quiet(text), _refused(text), _open(text)),
        refused=text("incident-0003"),
        checks=_checks(text),
        delivery=Delivery(requests=171_475, predictions=171_462, quarantined=13, missing=0, doubled=0),
        resources=Resources(peak_memory_bytes=3_221_225_472, processes=9),
        lessons=(
            text("A window over known outcomes repaired what a new fit alone could not."),
            text("Missing wind is no drift."),
        ),
    )


def _quality(text: Callable[[str], str], share: float, random: np.random.Generator, half: float) -> dict[str, Interval | None]:
    noise = random.normal(0, half / 3, 3)
    levels = (0.735 + 0.03 * share, 0.70 - 0.06 * share, 0.70 + 0.025 * share)
    return {text(name): interval(level + float(jitter), half) for name, level, jitter in zip(SLOTS, levels, noise, strict=True)}


def _period(text: Callable[[str], str], month: int, random: np.random.Generator) -> Period:
    label = dt.date(2013, month, 1).strftime("%B %Y")
    found = _quality(text, (month - 3) / 5, random, 0.011)
    return Period(
        label=text(label), start_ms=ms(month, 1), rows=28_000 + month * 120, positives=6_000 + month * 310, quality=found
    )


def _week(text: Callable[[str], str], week: int, random: np.random.Generator) -> Period:
    start = ms(3, 1) + week * 7 * _DAY
    found = _quality(text, week / 26, random, 0.022)
    if week == 9:
        found = dict.fromkeys(found)
    return Period(label=text(f"week {week + 1}"), start_ms=start, rows=6_500, positives=1_500, quality=found)


def _swaps(text: Callable[[str], str]) -> tuple[Swap, ...]:
    own = [
        Swap(
            time_ms=ms(3, 1), generation=1, digest=text("a1b2c3d4e5f6aa"), slot=text(SLOTS[0]), reason=text("the first champion")
        ),
        Swap(
            time_ms=ms(4, 19),
            generation=2,
            digest=text("7c9e6679f0c1bb"),
            slot=text(SLOTS[0]),
            reason=text("beats the champion by 0.043"),
            features=(text("mean of outcomes by origin over 3 hours"), text("count by destination over 1 day")),
        ),
        Swap(
            time_ms=ms(7, 2), generation=5, digest=text("0f8fad5bd9cbcc"), slot=text(SLOTS[0]), reason=text("beats it by 0.012")
        ),
    ]
    plain = [
        Swap(
            time_ms=ms(month, 1),
            generation=month - 2,
            digest=text(f"d{month}"),
            slot=text(SLOTS[2]),
            reason=text("first of the month"),
        )
        for month in range(4, 9)
    ]
    return (*own, *plain)


def _evidence(text: Callable[[str], str]) -> tuple[Evidence, ...]:
    return (
        Evidence(
            watched=text("temperature"),
            method=text("ks"),
            p_value=3.1e-14,
            effect=0.412,
            effect_unit=text("largest gap of the shares"),
            before={text("p10"): 24.1, text("p25"): 30.2, text("p50"): 37.9, text("p75"): 44.1, text("p90"): 51.8},
            after={text("p10"): 39.9, text("p25"): 46.0, text("p50"): 54.0, text("p75"): 62.1, text("p90"): 70.0},
        ),
        Evidence(
            watched=text("carrier"),
            method=text("chi_square"),
            p_value=0.00042,
            effect=0.08,
            effect_unit=text("Cramér's V"),
            before={text(name): share for name, share in (("UA", 0.18), ("B6", 0.16), ("EV", 0.15), ("DL", 0.14), ("AA", 0.1))},
            after={text(name): share for name, share in (("UA", 0.17), ("B6", 0.19), ("EV", 0.11), ("DL", 0.16), ("AA", 0.1))},
        ),
        Evidence(watched=text("loss"), method=text("adwin"), p_value=0.0004, effect=0.051, effect_unit=text("log loss")),
    )


def _promoted(text: Callable[[str], str]) -> IncidentReport:
    steps = (
        ("build_dataset", 6.1),
        ("diagnose_loss", 3.2),
        ("propose_features", 41.7),
        ("train_model", 18.9),
        ("judge_challenger", 2.4),
    )
    return IncidentReport(
        id=text("incident-0001"),
        state=text("closed"),
        opened_ms=ms(4, 9, 6),
        closed_ms=ms(5, 3),
        title=text("Harmful shift: the loss rose with temperature"),
        events=(
            Observation(
                time_ms=ms(4, 8),
                kind=text("feature_drift"),
                detector=text("numeric_ks"),
                transition=text("suspected"),
                evidence=_evidence(text)[:2],
            ),
            Observation(
                time_ms=ms(4, 9),
                kind=text("loss_drift"),
                detector=text("loss_adwin"),
                transition=text("confirmed"),
                evidence=_evidence(text),
            ),
        ),
        diagnosis=(
            Cause(cause=text("harmful_shift"), probability=0.71, evidence=text("loss up 0.051 where temperature moved most")),
            Cause(cause=text("concept_change"), probability=0.21, evidence=text("loss also up where nothing moved")),
            Cause(cause=text("false_alarm"), probability=0.02, evidence=text("three monitors agree")),
        ),
        alternatives=(
            Alternative(
                action=text("retrain_with_features"),
                utility=0.038,
                chosen=True,
                reason=text("largest expected gain for its cost"),
            ),
            Alternative(action=text("retrain"), utility=0.021, chosen=False, reason=text("a new fit alone gains less")),
            Alternative(action=text("do_nothing"), utility=-0.012, chosen=False, reason=text("the loss is expected to stay")),
        ),
        plan=Plan(
            digest=text("5feceb66ffc86f38"),
            planner=text("policy"),
            steps=tuple(
                Step(skill=text(name), state=text("done"), seconds=took, summary=text("as planned")) for name, took in steps
            ),
        ),
        features=(
            Candidate(
                text=text("mean of outcomes by origin over 3 hours, 0 delay"),
                gain=interval(0.031, 0.006),
                accepted=True,
                reason=text("above the bar"),
            ),
            Candidate(
                text=text("count by destination over 1 day"),
                gain=interval(0.007, 0.004),
                accepted=True,
                reason=text("above the bar"),
            ),
            Candidate(text=text("log of distance"), gain=interval(-0.001, 0.003), accepted=False, reason=text("no gain")),
            Candidate(
                text=text("std of visibility by origin over 7 days"), gain=None, accepted=False, reason=text("out of budget")
            ),
        ),
        comparison=_comparison(text, 0.706, 0.749, 0.011, 9_120),
        live_comparison=_comparison(text, 0.699, 0.738, 0.016, 6_402),
        gates=(
            Gate(
                claim=text("beats_champion"),
                verdict="pass",
                reason=text("the whole interval is above 0.005"),
                numbers={text("low"): 0.032},
            ),
            Gate(
                claim=text("matches_onnx"),
                verdict="pass",
                reason=text("largest difference 3e-7"),
                numbers={text("largest"): 3e-7},
            ),
        ),
        verdict=text("promoted"),
        deployments=(
            Deployed(
                time_ms=ms(4, 12), what=text("shadow"), generation=1, digest=text("7c9e6679f0c1bb"), reason=text("prove it live")
            ),
            Deployed(
                time_ms=ms(4, 19),
                what=text("promoted"),
                generation=2,
                digest=text("7c9e6679f0c1bb"),
                reason=text("held in shadow"),
            ),
        ),
        lesson=text("Known outcomes of the last hours carry what a fit on old months cannot."),
    )


def _comparison(text: Callable[[str], str], old: float, new: float, half: float, rows: int) -> Comparison:
    return Comparison(metric=text("AUC"), champion=old, challenger=new, difference=interval(new - old, half), rows=rows)


def _quiet(text: Callable[[str], str]) -> IncidentReport:
    return IncidentReport(
        id=text("incident-0002"),
        state=text("closed"),
        opened_ms=ms(5, 21),
        closed_ms=ms(5, 24),
        title=text("Missing wind"),
        diagnosis=(Cause(cause=text("upstream_break"), probability=0.9, evidence=text("missing from one source only")),),
        alternatives=(Alternative(action=text("do_nothing"), utility=0.0, chosen=True, reason=text("nothing beats it")),),
        verdict=text("nothing to do"),
    )


def _refused(text: Callable[[str], str]) -> IncidentReport:
    return IncidentReport(
        id=text("incident-0003"),
        state=text("closed"),
        opened_ms=ms(6, 10),
        closed_ms=ms(6, 14),
        title=text("A challenger trained on shuffled labels"),
        comparison=_comparison(text, 0.741, 0.672, 0.013, 8_800),
        gates=(
            Gate(
                claim=text("beats_champion"),
                verdict="fail",
                reason=text("the whole interval is below zero"),
                numbers={text("high"): -0.056},
            ),
            Gate(claim=text("holds_on_slices"), verdict="inconclusive", reason=text("too few rows in 3 slices")),
            Gate(claim=text("matches_onnx"), verdict="pass", reason=text("equal")),
        ),
        verdict=text("refused: it loses to the champion"),
        lesson=text("A model that fits its own months is not proven."),
    )


def _open(text: Callable[[str], str]) -> IncidentReport:
    return IncidentReport(
        id=text("incident-0004"), state=text("observing"), opened_ms=ms(8, 27), closed_ms=None, title=text("Score drift")
    )


def _checks(text: Callable[[str], str]) -> tuple[Check, ...]:
    return (
        Check(name=text("Promotions"), bar=text("at most 6"), measured=text("2"), held=True),
        Check(name=text("Peak memory"), bar=text("under 4 GiB"), measured=text("3.00 GiB"), held=True),
        Check(name=text("A promoted bundle holds a proposed window"), bar=text("at least one"), measured=text("1"), held=True),
    )
