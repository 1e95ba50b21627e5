"""Merging, correcting, transitions and buckets: the pure parts of monitoring."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.contracts.errors import ContractError
from streams.contracts.summaries import InputSummary, LossSummary
from streams.detectors.base import Finding
from streams.detectors.checks import DAY_MS, World
from streams.monitoring.buckets import Buckets
from streams.monitoring.config import MonitoringConfig
from streams.monitoring.correcting import alarms, holm
from streams.monitoring.merging import merge_inputs, merge_losses
from streams.monitoring.transitions import Course, Rules


def inputs(partition: int, seed: int = 0, day: int = 0) -> InputSummary:
    summary = World(0)._inputs(World(seed)._draw(300, is_broken=False), day * DAY_MS)
    hashes = sorted(int(number) for number in np.random.default_rng([seed, partition]).integers(0, 1 << 62, len(summary.sample)))
    sample = [(number, row) for number, (_, row) in zip(hashes, summary.sample, strict=True)]
    return msgspec.structs.replace(summary, partition=partition, sample=sample)


def losses(partition: int, day: int = 0, **changes: object) -> LossSummary:
    found = World(partition).view(day).losses
    assert found is not None
    return msgspec.structs.replace(found, partition=partition, **changes)


def test_merging_does_not_depend_on_the_order_of_arrival() -> None:
    parts = [inputs(number, number) for number in range(4)]
    shuffled = [parts[number] for number in (2, 0, 3, 1)]
    merged = merge_inputs(parts, 200)
    assert merged == merge_inputs(shuffled, 200)
    assert merged.rows == 1_200
    assert sum(merged.score.bins) == 1_200
    assert merged.numbers["size"].missing == sum(part.numbers["size"].missing for part in parts)
    everything = sorted((row for part in parts for row in part.sample), key=lambda row: row[0])
    assert merged.sample == everything[:200]
    outcomes = [losses(number) for number in range(3)]
    assert merge_losses(outcomes) == merge_losses(outcomes[::-1])
    assert merge_losses(outcomes).loss == sum(part.loss for part in outcomes)
    assert sum(merge_losses(outcomes).positives) + sum(merge_losses(outcomes).negatives) == 1_800


def test_summaries_of_different_references_are_not_added() -> None:
    other = inputs(1)
    other.score.bins.append(1)
    with pytest.raises(ContractError, match="bins"):
        merge_inputs([inputs(0), other], 100)
    with pytest.raises(ContractError, match="columns"):
        merge_inputs([inputs(0), msgspec.structs.replace(inputs(1), numbers={})], 100)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1, exclude_max=True))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float], level: float) -> None:
    rejected = set()
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] * (len(p_values) - rank) > level:
            break
        rejected.add(index)
    assert {index for index, corrected in enumerate(holm(p_values)) if corrected <= level} == rejected


def test_an_alarm_is_significant_and_large() -> None:
    def made(p_value: float, effect: float, level: float | None = None) -> Finding:
        return Finding("feature_drift", "x", "m", p_value, effect, 0.1, "u", {}, {}, level)

    findings = [made(0.001, 0.5), made(0.001, 0.01), made(0.03, 0.5), made(0.03, 0.5, 0.04), made(0.05, 0.5, 0.04)]
    found = alarms(findings, 0.02)
    assert [one is not None for one in found] == [True, False, False, True, False]
    assert found[0] is not None
    assert found[0].evidence.p_value == pytest.approx(0.003), "corrected for three tests"


DAYS = 7 * DAY_MS


def said(course: Course, verdicts: str, start: int = 0) -> list[str]:
    """One letter a day: what alarmed, a dot for silence. Gives the first letter of what was said, or a dot."""
    spoken = (course.step(set() if one == "." else {one}, (start + day) * DAY_MS) for day, one in enumerate(verdicts))
    return [one[:2] if one else ".." for one in spoken]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("a...", ".. .. cl"),
        ("aa...", "co .. .. cl"),
        ("abab", ".. .. .."),
        ("a.a.", ".. .. .."),
        ("a..a...", ".. .. .. .. .. cl"),
        ("aaaaaaaaaaaaaaaa", "co .. .. .. .. .. .. co .. .. .. .. .. .. co"),
        ("aa...aa...", "co .. .. cl su .. .. .. cl"),
    ],
)
def test_the_course_of_an_alarm(verdicts: str, expected: str) -> None:
    assert said(Course(Rules(2, 3, DAYS)), verdicts) == ["su", *expected.split()]


@given(st.text("abc.", min_size=1, max_size=80), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20))
@settings(max_examples=200)
def test_a_course_never_repeats_itself_within_the_cooldown(verdicts: str, confirm: int, clear: int, cooldown: int) -> None:
    course = Course(Rules(confirm, clear, cooldown * DAY_MS))
    found = said(course, verdicts)
    confirmed = [day for day, one in enumerate(found) if one == "co"]
    assert all(later - earlier >= cooldown for earlier, later in pairwise(confirmed))
    for day in confirmed:
        assert verdicts[max(day - confirm + 1, 0) : day + 1] == verdicts[day] * confirm
    opened = [one for one in found if one in ("su", "cl")]
    assert confirm == 1 or all(earlier != later for earlier, later in pairwise(opened)), "what is suspected is cleared once"
    for day in (day for day, one in enumerate(found) if one == "cl"):
        assert verdicts[day - clear + 1 : day + 1] == "." * clear


def test_buckets_close_in_order_once_and_only_behind_the_watermark() -> None:
    buckets = Buckets(100)
    for day in (2, 0, 1):
        for partition in (0, 1):
            assert buckets.add(losses(partition, day)) == 0
            buckets.add(losses(partition, day))
    buckets.add(losses(0, 0, slot="shadow"))
    assert len(buckets) == 6
    assert buckets.due(DAY_MS - 1) == []
    assert [bucket.start_ms for bucket in buckets.due(2 * DAY_MS)] == [0, DAY_MS]
    buckets.add(losses(0, 1))
    assert len(buckets) == 2, "a bucket that was closed stays closed"
    (last,) = buckets.due(3 * DAY_MS)
    assert [part.partition for part in last.losses["d"]] == [0, 1]
    assert not buckets.due(99 * DAY_MS)


def test_too_many_waiting_summaries_cost_the_oldest_buckets() -> None:
    buckets = Buckets(3)
    assert [buckets.add(losses(0, day)) for day in (1, 0, 2, 3)] == [0, 0, 0, 1]
    assert [bucket.start_ms // DAY_MS for bucket in buckets.due(9 * DAY_MS)] == [1, 2, 3]


def test_the_config_knows_the_detectors_and_its_budget() -> None:
    config = MonitoringConfig()
    assert config.alarm_level(DAY_MS) == pytest.approx(2 / 30)
    assert config.alarm_level(DAY_MS // 24) == pytest.approx(2 / 720)
    assert config.alarm_level(300 * DAY_MS) == 0.5
    with pytest.raises(ValidationError, match="feature_ks"):
        MonitoringConfig(detectors=("feature_kss",))
    with pytest.raises(ValidationError, match="twice"):
        MonitoringConfig(detectors=("feature_ks", "feature_ks"))
