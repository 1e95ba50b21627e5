"""A made-up replay judged: each figure follows by hand from what was put in."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from daemon.replay.delivery import Answer, Seen
from daemon.report.model import Plan
from tests.bench.closed_loop.cast import Trained
from tests.bench.closed_loop.judged import judge
from tests.bench.closed_loop.latency import Latencies, latencies_of
from tests.bench.closed_loop.measured.case import NOT_FOR_IT, WHOLE, Judged, Part
from tests.bench.closed_loop.measured.catalogue import BY_THE_WALL, MEASURED
from tests.bench.closed_loop.playing import released
from tests.bench.closed_loop.report.model import WALL_METRICS, BenchReport, ScenarioResult, encode_report, without_pace
from tests.bench.closed_loop.scenario import METRICS
from tests.unit.bench_loop.judged_world import (
    FIRST,
    HOUR_MS,
    SECOND,
    THIRD,
    data,
    day,
    deployed,
    deployment,
    incident,
    judged,
    ruled,
    served,
)


def value(found: Judged, metric: str, policy: str = "driftwake", part: Part = WHOLE) -> float | None:
    return (MEASURED | BY_THE_WALL)[metric](found, policy, part)


def test_every_metric_is_measured_and_described():
    assert set(MEASURED) | set(BY_THE_WALL) == set(METRICS)
    assert set(BY_THE_WALL) == WALL_METRICS


def test_incidents_meet_every_onset():
    truth = {"onset_day": 15, "other_onsets": [10], "diagnosis": ["concept_change"]}
    # Segments are five days long, so incidents count for a day; day 12 is too late and day 7 too early.
    opened = [incident(day(moment)) for moment in (7, 10.5, 12, 15.25)]
    found = judged({"truth": truth}, incidents=tuple(opened))
    assert value(found, "hours_to_detect") == (12 + 6) / 2
    assert value(found, "incidents_missed") == 0
    assert value(found, "false_incidents") == 2
    assert value(found, "hours_between_false_incidents") == 13 * 24 / 2
    assert value(found, "incidents") == 4
    assert value(found, "incidents", part=Part(10, 12)) == 2
    late = judged({"truth": truth}, incidents=tuple(opened[1:3]))
    assert value(late, "incidents_missed") == 0.5
    assert value(late, "hours_to_detect") == 12
    assert value(judged({"truth": truth}), "hours_to_detect") is None
    assert value(judged({"truth": truth}), "hours_between_false_incidents") == NOT_FOR_IT
    assert value(judged({"truth": {"onset_day": None}}), "hours_to_detect") == NOT_FOR_IT
    assert value(found, "hours_to_detect", "weekly") == NOT_FOR_IT


def test_rows_are_held_out_from_the_moment_that_they_break():
    broken = [
        {"kind": "offset", "column": "amount", "value": 1, "first_day": 6, "last_day": 7},
        {"kind": "scale", "column": "amount", "factor": 100, "first_day": 12, "last_day": 13},
    ]
    base = served(data().rows)
    for since, hours in ((11, 0), (12, 0), (12.5, 12), (20, None)):
        flagged = served(data().rows, flagged=base.time_ms >= day(since))
        found = judged({"injections": broken}, served=flagged)
        assert value(found, "hours_to_hold_out") == hours
    assert value(judged(served=flagged), "hours_to_hold_out") == NOT_FOR_IT, "nothing broke"


@pytest.mark.parametrize(
    ("first", "last", "ends"),
    [(7, 8, [(5, 7, 1), (7, 9, 0.25), (9, 20, 1)]), (5, 5, [(5, 6, 0.25), (6, 20, 1)]), (19, 19, [(5, 19, 1), (19, 20, 0.25)])],
)
def test_fine_days_have_a_bucket_of_their_own(first: int, last: int, ends: list[tuple[int, int, float]]):
    fine = {"first_day": first, "last_day": last, "bucket": "15m"}
    found = released(judged({"fine": fine}).scenario, data())
    assert found == [(day(since), day(until), hours * HOUR_MS) for since, until, hours in ends]
    assert released(judged().scenario, data()) == [(day(5), day(20), HOUR_MS)]


def test_of_two_things_at_once_both_must_be_named():
    truth = {"onset_day": 10, "diagnosis": ["concept_change", "new_segment"], "second_diagnosis": ["upstream_data_break"]}
    both = (incident(day(11), "upstream_data_break"), incident(day(12), "new_segment"))
    assert value(judged({"truth": truth}, incidents=both), "right_diagnosis") == 1
    assert value(judged({"truth": truth}, incidents=both[1:]), "right_diagnosis") == 0
    judgement = judge(judged({"truth": truth}, incidents=both)).diagnosis
    assert (judgement.second, judgement.is_right) == (("upstream_data_break",), True)


def test_retrains_and_promotions_are_counted_in_the_days_of_a_bar():
    trained = [Trained("weekly", day(at), day(at) + HOUR_MS, SECOND, "", is_accepted=True) for at in (7, 14)]
    changes = [deployment(1, 0, FIRST), deployment(2, day(8), SECOND, previous=FIRST), deployment(3, day(16), FIRST)]
    found = judged(trained=tuple(trained), retrained_ms=(day(7.5), day(12)), deployments=tuple(changes))
    assert (value(found, "retrains"), value(found, "retrains", part=Part(12, 19))) == (2, 0)
    # What the end of day 11 led to belongs to day 11.
    assert value(found, "retrains", part=Part(11, 11)) == 1
    assert (value(found, "retrains", "weekly"), value(found, "retrains", "weekly", Part(8, 19))) == (2, 1)
    assert (value(found, "promotions"), value(found, "promotions", part=Part(9, 19))) == (2, 1)


@pytest.mark.parametrize(
    ("champions", "labels"),
    [
        # Each hour one label becomes known.
        ([(0, FIRST), (day(7), SECOND), (day(12), FIRST)], 48),
        ([(0, FIRST), (day(7), SECOND), (day(9), FIRST)], None),
        # To undo a swap that was made after onset restores nothing.
        ([(0, FIRST), (day(11), SECOND), (day(12), FIRST)], None),
        ([(0, FIRST), (day(7), SECOND), (day(11), THIRD), (day(12), SECOND), (day(13), FIRST)], 72),
        ([(0, FIRST)], None),
    ],
)
def test_labels_until_an_archived_bundle_is_back(champions: list[tuple[int, str]], labels: int | None):
    made = tuple(deployment(place, *one) for place, one in enumerate(champions, 1))
    assert value(judged(deployments=made), "labels_to_restore") == labels
    assert value(judged({"truth": {"onset_day": None}}, deployments=made), "labels_to_restore") == NOT_FOR_IT


def test_a_bar_on_a_wait_for_what_never_came_is_missed_and_one_on_what_was_not_played_is_not_measured():
    waits = [{"metric": "labels_to_restore", "at_most": 500}, {"metric": "labels_to_recover", "at_most": 500}]
    restored, recovered = judge(judged({"bars": waits})).bars
    assert (restored.value, restored.held) == (None, False)
    assert (recovered.value, recovered.held) == (None, None), "nobody played the oracle"


def gate_world(*, is_promoted: bool, is_better: bool) -> Judged:
    """The challenger shadows from day 8 on; the verdict falls on day 12, and until then it looks the other way round."""
    source = data()
    base = served(source.rows)
    good, bad = base.label, 1 - base.label
    # A label is known a day later: what the gate could see ends with day 11.
    seen = base.time_ms < day(11)
    challenger, champion = np.where(seen ^ is_better, good, bad), np.where(seen ^ is_better, bad, good)
    ends = day(20) if is_promoted else day(12)
    shadow = np.where((base.time_ms >= day(8)) & (base.time_ms < ends), challenger, np.nan)
    after = base.time_ms >= day(12)
    if is_promoted:
        shadows = {SECOND: np.where(after, np.nan, shadow), FIRST: np.where(after, champion, np.nan)}
        scores = {"driftwake": np.where(after, challenger, champion)}
        digests = np.where(after, SECOND, FIRST).astype(object)
        end = (deployed(day(12), "promoted", 3, SECOND),)
        last = deployment(3, day(12), SECOND, previous=FIRST)
    else:
        shadows, scores, digests = {SECOND: shadow}, {"driftwake": champion}, base.digests
        end, last = (deployed(day(12), "tidied up", 3, FIRST),), deployment(3, day(12), FIRST)
    changes = (deployment(1, 0, FIRST), deployment(2, day(8), FIRST, challenger=SECOND), last)
    one = ruled(
        day(7),
        deployed(day(8), "shadow", 2, SECOND),
        *end,
        state="closed" if is_promoted else "refused",
        closed_ms=day(14) if is_promoted else day(12),
    )
    return judged(served=served(source.rows, shadows, scores=scores, digests=digests), deployments=changes, incidents=(one,))


@pytest.mark.parametrize("is_promoted", [True, False])
@pytest.mark.parametrize("is_better", [True, False])
def test_the_gate_is_judged_on_rows_whose_truth_it_had_not_seen(*, is_promoted: bool, is_better: bool):
    found = gate_world(is_promoted=is_promoted, is_better=is_better)
    shares = (value(found, "gate_rightly_promoted"), value(found, "gate_rightly_refused"))
    assert shares == ((float(is_better), None) if is_promoted else (None, float(not is_better)))
    assert value(found, "gate_rightly_promoted", part=Part(13, 19)) is None


def test_what_never_ran_as_a_shadow_is_no_verdict_that_could_be_judged():
    refused = ruled(day(7), state="refused", closed_ms=day(8))
    forced = ruled(day(9), deployed(day(9), "promoted", 2, SECOND))
    found = judged(incidents=(refused, forced))
    assert (value(found, "gate_rightly_promoted"), value(found, "gate_rightly_refused")) == (None, None)


def test_the_missed_amount_is_that_of_frauds_nobody_looked_at():
    source = data(worth=np.arange(20 * 24, dtype=float))
    found = judged(source=source)
    # 24 rows a day are fewer than people look at, but who has no score is never looked at.
    assert value(found, "missed_amount", "weekly") == 0
    scores = {"driftwake": np.where(found.played.served.time_ms < day(6), np.nan, 0.5)}
    blind = judged(source=source, served=served(source.rows, scores=scores))
    first = range(5 * 24, 6 * 24)
    assert value(blind, "missed_amount") == sum(place for place in first if place // 2 % 2)
    assert value(judged(), "missed_amount") == NOT_FOR_IT


def test_alerts_are_incidents_that_people_were_told_of():
    found = judged(incidents=(incident(day(6), "upstream_data_break", "alert_upstream"), incident(day(9), action="retrain")))
    assert (value(found, "alerts"), value(found, "alerts", "weekly")) == (1, 0)
    assert value(found, "alerts", part=Part(7, 19)) == 0


def test_a_planner_whose_tokens_nobody_recorded_has_none_measured():
    plans = [Plan(digest="d", planner=planner, steps=()) for planner in ("policy", "other")]
    policy, other = (judged(incidents=(incident(day(6), plan=plan),)) for plan in plans)
    assert (value(policy, "tokens"), value(other, "tokens"), value(other, "tokens", "weekly")) == (0, None, 0)


def test_autocorrelated_labels_show_the_last_label_and_kappa():
    source = data(further=("kappa_temporal",))
    result = judge(judged(source=source))
    means = {one.name: one.mean_quality for one in result.policies}
    # What was known before a row is the label of 25 rows earlier: of pairs of equal labels in turn, half are the same.
    assert (means["driftwake"], means["weekly"], means["last_label"]) == (1.0, 0.0, 0.5)
    assert result.policies[-1].who == "repeats the newest label that was known"
    assert result.policies[-1].retrains == 0
    assert result.values["kappa_temporal"]["driftwake"] == 1
    assert "brier" not in result.values
    assert "last_label" not in [one.name for one in judge(judged()).policies]


def test_the_brier_score_is_the_mean_squared_error():
    source = data(further=("brier",))
    scores = {"driftwake": np.full(360, 0.25), "weekly": served(source.rows).label}
    found = judged(source=source, served=served(source.rows, scores=scores))
    assert value(found, "brier") == pytest.approx((0.25**2 + 0.75**2) / 2)
    assert value(found, "brier", "weekly") == 0


def test_swaps_are_the_rows_of_one_bucket_after_a_slot_changed():
    changes = [deployment(1, 0, FIRST), deployment(2, day(11), FIRST, challenger=SECOND)]
    # A record that only has a bundle prepared changes no slot.
    changes.append(msgspec.structs.replace(changes[-1], generation=3, effective_ms=day(12), preparing=(THIRD,)))
    times = np.array([day(6), day(11) - 1, day(11), day(11) + HOUR_MS - 1, day(11) + HOUR_MS, day(12)])
    found = judged(deployments=tuple(changes), latencies=Latencies(times, np.array([10.0, 10.0, 30.0, 30.0, 10.0, 10.0])))
    assert value(found, "p99_ratio") == 3
    assert value(found, "p99_ratio", "weekly") == NOT_FOR_IT
    assert value(judged(), "p99_ratio") is None


def test_a_latency_runs_from_the_request_to_each_answer():
    seen = Seen({(0, 1): 100, (0, 2): 110}, [Answer((0, 1), 5, 130), Answer((0, 9), 6, 131), Answer((0, 2), 7, 150)], Counter())
    found = latencies_of(seen)
    assert (found.time_ms.tolist(), found.taken_ms.tolist()) == ([5, 7], [30.0, 40.0])
    assert len(latencies_of(Seen({}, [], Counter())).time_ms) == 0


def report_of(latencies: Latencies, wall_seconds: float) -> tuple[ScenarioResult, BenchReport]:
    changes = (deployment(1, 0, FIRST), deployment(2, day(11), SECOND))
    bars = {"bars": [{"metric": "p99_ratio", "at_most": 1.2}, {"metric": "rows_lost", "at_most": 0}]}
    result = judge(judged(bars, deployments=changes, latencies=latencies, wall_seconds=wall_seconds))
    return result, BenchReport(version="1", scenarios=(result,))


def test_the_bar_on_latency_is_held_or_missed_but_two_runs_compare_without_it():
    times = np.array([day(6), day(11)])
    slow, one = report_of(Latencies(times, np.array([10.0, 13.0])), 2.0)
    fast, other = report_of(Latencies(times, np.array([10.0, 11.0])), 1.0)
    assert [(bar.value, bar.held) for bar in slow.bars] == [(1.3, False), (0.0, True)]
    assert [(bar.value, bar.held) for bar in fast.bars] == [(1.1, True), (0.0, True)]
    assert slow.pace is not None
    assert (slow.pace.p99_before_ms, slow.pace.p99_during_ms) == (10, 13)
    assert "p99_ratio" not in slow.values
    assert encode_report(one) != encode_report(other)
    assert encode_report(without_pace(one)) == encode_report(without_pace(other))


def test_what_is_one_figure_for_all_is_still_drawn_day_by_day():
    result = judge(judged(source=data(group="all")))
    never = next(one for one in result.policies if one.name == "never")
    assert [one.value for one in never.quality] == [1.0] * 5 + [0.0] * 10
    assert never.mean_quality == pytest.approx(1 / 3)
    assert result.quality_metric == "accuracy"
    assert judge(judged()).quality_metric == "accuracy by week"
