"""Merging, transitions, buckets and the budget: the pure parts of monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from streams.contracts.errors import ContractError
from streams.contracts.summaries import InputSummary, LossSummary
from streams.detectors.checks import DAY_MS, World
from streams.monitoring.buckets import Buckets
from streams.monitoring.config import MonitoringConfig
from streams.monitoring.merging import merge_inputs, merge_losses
from streams.monitoring.transitions import Course, Rules
from streams.statistics import alarms
from streams.statistics.alarms import OVERWHELMING, peaks, persistent


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


def test_sums_that_a_part_of_an_older_version_lacks_are_unknown() -> None:
    parts = [losses(number, labels=10 * number - 4, label_squares=number, scores=-number) for number in range(3)]
    merged = merge_losses(parts)
    assert (merged.labels, merged.label_squares, merged.scores) == (18, 3, -3)
    older = merge_losses([*parts, losses(3, labels=None, label_squares=None, scores=None)])
    assert (older.labels, older.label_squares, older.scores) == (None, None, None)
    assert older.rows == 2_400


def test_summaries_of_different_references_are_not_added() -> None:
    other = inputs(1)
    other.score.bins.append(1)
    with pytest.raises(ContractError, match="bins"):
        merge_inputs([inputs(0), other], 100)
    with pytest.raises(ContractError, match="columns"):
        merge_inputs([inputs(0), msgspec.structs.replace(inputs(1), numbers={})], 100)


DAYS = 7 * DAY_MS
ALARMS = (
    {letter: (ord(letter), 3.0) for letter in "abc"}
    | {letter.upper(): (ord(letter), 3.5) for letter in "abc"}
    | {str(more): (ord("a"), 3.0 + more) for more in range(1, 10)}
)


def course_of(confirm: int, clear: int, cooldown_ms: int, columns: Sequence[str] = "abc") -> Course:
    """A course whose signals are known by a letter, each with a column of its own unless given."""
    watched = [""] * 128
    for letter, column in zip("abc", columns, strict=True):
        watched[ord(letter)] = column
    return Course(Rules(confirm, clear, cooldown_ms), watched)


def said(course: Course, verdicts: str) -> list[str]:
    """One letter a day: what alarmed, a capital if overwhelmingly, a dot for silence; the first two letters of what was said.

    A digit is an alarm of `a` that is so many powers of ten more improbable.
    """
    spoken = [
        course.step(dict([ALARMS[one]]) if one in ALARMS else {}, day * DAY_MS, overwhelming=3.5)
        for day, one in enumerate(verdicts)
    ]
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
        ("aA...", "co .. .. cl"),
        ("a.A...", ".. co .. .. cl"),
        ("aaBB", "co .. .."),
        ("aa...BB", "co .. .. cl co .."),
        ("aa...bb...aa", "co .. .. cl su co .. .. cl su co"),
        ("aa...1...1", "co .. .. cl co .. .. cl .."),
        ("aa2...2...3...", "co .. .. .. cl .. .. .. .. co .. .. cl"),
        ("aa...aa1", "co .. .. cl su .. co"),
        ("aa...aabb", "co .. .. cl su .. .. co"),
        ("aa22", "co .. .."),
    ],
)
def test_the_course_of_an_alarm(verdicts: str, expected: str) -> None:
    assert said(course_of(2, 3, DAYS), verdicts) == ["su", *expected.split()]


def test_the_cooldown_is_of_columns_whatever_signals_they_have() -> None:
    assert said(course_of(2, 3, DAYS, "xxy"), "aa...bb")[-2:] == ["su", ".."]
    assert said(course_of(2, 3, DAYS, "xxy"), "aa...cc")[-2:] == ["su", "co"]


@given(st.text("abcA.", min_size=1, max_size=80), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20))
@settings(max_examples=200, deadline=None)
def test_a_course_never_repeats_itself_within_the_cooldown(verdicts: str, confirm: int, clear: int, cooldown: int) -> None:
    course = course_of(confirm, clear, cooldown * DAY_MS)
    found = said(course, verdicts)
    confirmed = [day for day, one in enumerate(found) if one == "co"]
    for letter in "abc":
        of_one = [day for day in confirmed if verdicts[day].lower() == letter]
        assert all(later - earlier >= cooldown for earlier, later in pairwise(of_one))
    for earlier, later in pairwise(confirmed):
        assert later - earlier >= cooldown or "cl" in found[earlier:later], "an alarm that lasts is said once"
    for day in confirmed:
        run = verdicts[max(day - confirm + 1, 0) : day + 1]
        assert run.lower() == run[-1].lower() * confirm or run[-1].isupper()
    opened = [one for one in found if one in ("su", "cl")]
    is_plain = confirm > 1 and verdicts.islower()
    assert not is_plain or all(earlier != later for earlier, later in pairwise(opened)), "what is suspected is cleared once"
    for day in (day for day, one in enumerate(found) if one == "cl"):
        assert verdicts[day - clear + 1 : day + 1] == "." * clear


def test_what_is_overwhelming_needs_no_second_bucket() -> None:
    assert said(course_of(5, 2, DAYS), "A..a") == ["co", "..", "cl", "su"]


def test_other_signals_in_between_do_not_confirm_one_and_one_among_others_does() -> None:
    course = Course(Rules(2, 3, 0), [""] * 6)
    alarms_of = [dict.fromkeys(signals, 3.0) for signals in ([1, 2], [3], [4, 5], [0, 5])]
    assert [course.step(one, 0, overwhelming=4.0) for one in alarms_of] == ["suspected", None, None, "confirmed"]


@given(
    hnp.arrays(np.int64, st.tuples(st.integers(2, 60), st.integers(1, 3)), elements=st.integers(0, 12)),
    st.integers(1, 3),
    st.integers(1, 4),
)
@settings(max_examples=200, deadline=None)
def test_alarms_begin_where_their_rate_is_counted(halves: npt.NDArray[np.int64], confirm: int, clear: int) -> None:
    """What statistics count as an alarm, to ask how often chance raises one, is what a course says; 2 is the threshold."""
    heights, level, course = halves / 2, 2.0, Course(Rules(confirm, clear, 0), ["", "", ""])
    sure = level + (OVERWHELMING if confirm > 1 else 0.0)
    begun, is_on = 0, False
    for row in heights:
        alarming = {signal: height for signal, height in enumerate(row.tolist()) if height >= level}
        transition = course.step(alarming, 0, overwhelming=sure)
        begun += transition == "confirmed" and not is_on
        is_on = transition == "confirmed" or (is_on and transition != "cleared")
    counted = alarms.Course(confirm, clear)
    assert begun == len(peaks(persistent(heights, counted), heights.max(axis=1), level, counted))


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
    assert config.alarm_rate(DAY_MS) == pytest.approx(2 / 30)
    assert config.alarm_rate(DAY_MS // 24) == pytest.approx(2 / 720)
    assert MonitoringConfig(false_alarms_per_month=30).alarm_rate(DAY_MS) == pytest.approx(0.1)
    with pytest.raises(ValidationError, match="feature_ks"):
        MonitoringConfig(detectors=("feature_kss",))
    with pytest.raises(ValidationError, match="twice"):
        MonitoringConfig(detectors=("feature_ks", "feature_ks"))
    with pytest.raises(ValidationError, match="there is no timezone 'CEST/Berlin'; write it as"):
        MonitoringConfig(timezone="CEST/Berlin")
    assert MonitoringConfig(timezone="Europe/Berlin").timezone == "Europe/Berlin"
