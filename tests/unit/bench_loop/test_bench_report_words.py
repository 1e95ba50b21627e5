from __future__ import annotations

import math

import pytest
from bench_report_sample import sample_report

from tests.bench.closed_loop.report.model import Bar, BenchReport
from tests.bench.closed_loop.report.words import (
    days_text,
    held_text,
    limit_text,
    listed,
    measured_text,
    metric_text,
    names_of,
    plural,
    value_text,
)


@pytest.mark.parametrize(
    ("metric", "value", "name", "said"),
    [
        ("live_quality", 0.726, "live quality", "0.726"),
        ("promotions", 0.0, "promotions", "0"),
        ("worst_quality_against_weekly", -0.01, "worst quality against weekly", "\N{MINUS SIGN}0.010"),
        ("time_to_recover_ms", 1_209_600_000.0, "time to recover", "14 d"),
        ("hours_to_hold_out", 0.75, "time to hold out", "45 min"),
        ("training_hours", 30, "training", "1 d 6 h"),
        ("detection_delay_days", -1.5, "detection delay", "\N{MINUS SIGN}1 d 12 h"),
        ("wall_seconds", 61, "wall", "1 min 1 s"),
        ("live_quality", None, "live quality", "not measured"),
        ("time_to_recover_ms", math.nan, "time to recover", "not measured"),
        ("live_quality", math.inf, "live quality", "not measured"),
    ],
)
def test_a_value_reads_with_its_unit(metric: str, value: float | None, name: str, said: str):
    assert metric_text(metric) == name
    assert value_text(metric, value) == said


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [(None, None, ""), (84, 113, "days 84 to 113"), (84, 84, "day 84"), (84, None, "from day 84"), (None, 113, "to day 113")],
)
def test_days_of_a_bar(first: int | None, last: int | None, said: str):
    assert days_text(Bar(metric="m", first_day=first, last_day=last, value=None, held=None)) == said


def test_a_bar_says_what_it_asks_for():
    assert limit_text(Bar(metric="live_quality", at_least=0.7, value=None, held=None)) == "at least 0.700"
    assert limit_text(Bar(metric="delay_hours", at_most=1, value=None, held=None)) == "at most 1 h"
    assert limit_text(Bar(metric="m", at_least=0, at_most=1, value=None, held=None)) == "at least 0 and at most 1"
    assert limit_text(Bar(metric="m", value=None, held=None)) == "no limit"


def test_what_never_came_is_no_number_and_not_unmeasured():
    said = [
        measured_text(Bar(metric="promotions", value=value, held=held))
        for value, held in ((2, False), (None, False), (None, None))
    ]
    assert said == ["2", "never", "not measured"]


def test_held_and_missed_are_words():
    assert [held_text(held=held) for held in (True, False, None)] == ["held", "missed", "not measured"]


def test_a_seed_is_named_only_where_a_scenario_was_run_with_several():
    report = sample_report()
    assert names_of(report)[:2] == ["C0", "C1"]
    twice = BenchReport(version="1", scenarios=(report.scenarios[0], report.scenarios[0]))
    assert names_of(twice) == ["C0, seed 7", "C0, seed 7"]


def test_one_is_not_many():
    assert (plural(1, "bar"), plural(0, "bar"), plural(1_000, "bar")) == ("1 bar", "0 bars", "1,000 bars")


def test_what_was_said_several_times_is_listed_once():
    assert listed(["retrain", "no_action", "retrain", "retrain"]) == "retrain \N{MULTIPLICATION SIGN} 3, no action"
    assert listed([]) == "nothing"
