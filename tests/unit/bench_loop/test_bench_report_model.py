from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from bench_report_sample import POLICIES, sample_report

from tests.bench.closed_loop.metrics.bars import BarResult, Sense
from tests.bench.closed_loop.metrics.judgement import Acted, Diagnosed
from tests.bench.closed_loop.report.filling import action_of, bar_of, diagnosis_of, pace_of
from tests.bench.closed_loop.report.html import render
from tests.bench.closed_loop.report.model import BenchReport, Judgement, Pace, decode_report, encode_report, without_pace
from tests.bench.closed_loop.report.tally import (
    all_bars,
    bars_of,
    counted,
    forbidden_actions,
    policies_of,
    retrains_of,
    right_diagnoses,
)


def test_a_report_comes_back_from_json_equal_and_as_the_same_page():
    report = sample_report()
    again = decode_report(encode_report(report))
    assert again == report
    assert encode_report(again) == encode_report(report)
    assert render(again) == render(report)


def test_reports_that_differ_only_in_pace_have_equal_bytes_without_it():
    slow, fast = sample_report(wall=3.0), sample_report(wall=0.5)
    assert encode_report(slow) != encode_report(fast)
    assert encode_report(without_pace(slow)) == encode_report(without_pace(fast))
    assert render(without_pace(slow)) == render(without_pace(fast))


def test_the_order_in_which_values_were_filled_changes_no_byte():
    report = sample_report()
    turned = tuple(
        msgspec.structs.replace(
            one, values={metric: dict(reversed(found.items())) for metric, found in reversed(one.values.items())}
        )
        for one in report.scenarios
    )
    other = msgspec.structs.replace(report, scenarios=turned)
    assert encode_report(other) == encode_report(report)
    assert render(other) == render(report)


def test_numbers_of_numpy_pass_and_what_is_not_finite_becomes_not_measured():
    scenario = msgspec.structs.replace(
        sample_report().scenarios[0],
        values={"share": {"driftwake": np.float64(0.5), "never": math.nan, "weekly": np.float32("inf")}},
    )
    again = decode_report(encode_report(BenchReport(version="1", scenarios=(scenario,))))
    assert again.scenarios[0].values == {"share": {"driftwake": 0.5, "never": None, "weekly": None}}


def test_something_else_than_numbers_and_texts_is_refused():
    with pytest.raises(TypeError, match="not object"):
        encode_report(BenchReport(version=object()))  # type: ignore[arg-type]


def test_bars_are_counted_and_those_of_a_failed_scenario_are_not_measured():
    report = sample_report()
    assert counted(all_bars(report)).text == "23 bars held, 5 missed, 5 not measured"
    bars = (msgspec.structs.replace(report.bars[1], value=1.0, held=True),)
    failed = msgspec.structs.replace(report.scenarios[-1], bars=bars)
    assert [(bar.value, bar.held) for bar in bars_of(failed)] == [(None, None)]


def test_policies_come_in_one_order_with_driftwake_first():
    report = sample_report()
    first = msgspec.structs.replace(report.scenarios[0], policies=tuple(reversed(report.scenarios[0].policies)))
    turned = msgspec.structs.replace(report, scenarios=(first, *report.scenarios[1:]))
    assert list(policies_of(report)) == list(POLICIES)
    assert list(policies_of(turned)) == ["driftwake", *reversed(POLICIES[1:])]
    assert retrains_of(report)["weekly"] == sum(
        policy.retrains for one in report.scenarios for policy in one.policies if policy.name == "weekly"
    )


def test_a_forbidden_action_is_never_right():
    found = Judgement(accepted=("alert_upstream",), forbidden=("retrain",), said=("alert_upstream", "retrain"), is_right=True)
    assert found.broken == ("retrain",)
    assert found.held is False
    assert forbidden_actions(sample_report()) == 1
    assert right_diagnoses(sample_report()) == (16, 19)


@pytest.mark.parametrize("sense", ["at_least", "at_most"])
def test_a_bar_keeps_its_limit_on_its_side(sense: Sense):
    bar = bar_of(BarResult("live_quality", "driftwake", 0.7, 0.75, held=False, sense=sense, first_day=84, last_day=113))
    assert (bar.at_least, bar.at_most) == ((0.75, None) if sense == "at_least" else (None, 0.75))
    assert (bar.value, bar.held, bar.first_day, bar.last_day) == (0.7, False, 84, 113)


def test_judgements_are_taken_over_from_the_metrics():
    assert diagnosis_of(Diagnosed("C0", (), ())) == Judgement(is_right=True)
    assert diagnosis_of(Diagnosed("C8", ("data_break",), ("seasonal",))).held is False
    action = action_of(Acted(right=True, forbidden=1), accepted=["wait"], forbidden=["retrain"], taken=["wait", "retrain"])
    assert action.broken == ("retrain",)


def test_a_pace_without_wall_time_has_no_rates():
    assert pace_of(100, 3_600_000, 2.0) == Pace(wall_seconds=2.0, events=100, events_per_second=50.0, virtual_to_wall=1_800.0)
    assert pace_of(100, 3_600_000, 0.0) == Pace(wall_seconds=None, events=100, events_per_second=None, virtual_to_wall=None)
