"""Which labels never come, worked out by hand cohort by cohort; and that chance makes of it what the detector says."""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import numpy as np
import pytest

from streams.contracts.bundle import Normal, Usual
from streams.contracts.summaries import LossSummary
from streams.detectors import labels_coverage
from streams.detectors.base import BucketView, Detector, Requests, Setup
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.statistics.cohorts import FINE, cohorts_of

WORLD = World(1)


def opened(delay_ms: int = 2 * DAY_MS, normal: Normal | None = None) -> Detector:
    profile = msgspec.structs.replace(WORLD.profile, normal=normal)
    return labels_coverage.open_detector(setup_of(WORLD)._replace(label_delay_ms=delay_ms, profile=profile))


def day(number: int, asked: int | None, cohorts: dict[int, int], *, is_counted: bool = True) -> BucketView:
    """A day with so many scored predictions, and labels of requests of some days; None: no summary of inputs."""
    view = WORLD.view(0)
    assert view.inputs is not None
    assert view.losses is not None
    score = msgspec.structs.replace(view.inputs.score, bins=[asked or 0, *[0] * 9])
    inputs = msgspec.structs.replace(view.inputs, rows=asked or 0, score=score)
    counted = [(begin * DAY_MS, count) for begin, count in sorted(cohorts.items())] if is_counted else []
    losses = msgspec.structs.replace(view.losses, rows=sum(cohorts.values()), cohorts=counted)
    return BucketView(
        "m", "d", number * DAY_MS, (number + 1) * DAY_MS,
        inputs if asked is not None else None,
        losses if cohorts else None,
        Requests(asked or 0, 0) if asked is not None else None,
    )  # fmt: skip


def share(detector: Detector, view: BucketView) -> tuple[float, float] | None:
    """The share without a label and how many rows it is of; None where nothing is said."""
    found = detector.read(view)
    if math.isnan(found.level[0]):
        assert (found.rows[0], math.isnan(found.effect[0])) == (0, True)
        return None
    return round(float(found.effect[0]) + 0.5, 9), float(found.rows[0])


def test_a_cohort_is_read_once_when_nearly_all_of_its_labels_should_have_come() -> None:
    """Labels take up to two days: day 0 is due at the end of day 2, whatever came of other days meanwhile."""
    detector = opened()
    ((signal,),) = [detector.signals]
    assert (signal.kind, signal.name, signal.rises_only, signal.reference) == ("data_quality", "labels: missing", True, 0.0)
    assert (signal.share, signal.floor) == (0.5, 0.02)
    assert share(detector, day(0, 100, {0: 10})) is None
    assert share(detector, day(1, 400, {0: 50, 1: 40})) is None
    due = detector.read(day(2, 0, {0: 20, 1: 160}))
    assert (due.effect[0], due.rows[0]) == (pytest.approx(0.2 - 0.5), 100)
    assert due.level[0] == pytest.approx(2 * (math.asin(math.sqrt(20.375 / 100.75)) - math.pi / 4))
    assert share(detector, day(3, 7, {0: 20, 1: 100})) == (pytest.approx(0.25), 400), "what comes later counts for nobody"
    assert share(detector, day(4, 7, {1: 100})) is None, "nothing was predicted on day 2"


@pytest.mark.parametrize(("delay_ms", "waited"), [(1, 1), (DAY_MS, 1), (DAY_MS + 1, 2), (3 * DAY_MS, 3)])
def test_it_waits_for_whole_buckets(delay_ms: int, waited: int) -> None:
    detector = opened(delay_ms)
    found = [share(detector, day(number, 50 if number == 0 else 0, {0: 1})) for number in range(5)]
    assert [number for number, one in enumerate(found) if one is not None] == [waited]


def test_where_nobody_measured_how_long_labels_take_nothing_is_said() -> None:
    detector = opened(0)
    assert [share(detector, day(number, 50, {number: 50})) for number in range(5)] == [None] * 5
    assert Setup(WORLD.manifest, WORLD.profile, setup_of(WORLD).floors, DAY_MS).label_delay_ms == 0


def test_no_label_at_all_is_seen_though_no_outcome_is_summed_up() -> None:
    detector = opened()
    found = [share(detector, day(number, 100, {})) for number in range(5)]
    assert found == [None, None, *[(1.0, 100.0)] * 3]


def test_cohorts_that_are_due_in_a_gap_are_read_together_and_a_bucket_of_nothing_reads_none() -> None:
    detector = opened()
    for number, rows in enumerate((100, 300)):
        share(detector, day(number, rows, {number: rows // 2}))
    assert share(detector, day(3, None, {})) is None
    assert share(detector, day(9, 50, {0: 25, 1: 75})) == (pytest.approx((25 + 75) / 400), 400)
    assert share(detector, day(10, 50, {})) is None


def measured(number: int, labels: dict[int, int]) -> dict[int, int]:
    """Labels of one day by the cohorts in which measuring counts those of requests of some days; none is of before day 0."""
    known = {asked: count for asked, count in labels.items() if asked >= 0}
    begins = cohorts_of(np.array(list(known), np.int64) * DAY_MS, number * DAY_MS, DAY_MS) // DAY_MS
    found: Counter[int] = Counter()
    for begin, count in zip(begins.tolist(), known.values(), strict=True):
        found[begin] += count
    return dict(found)


@pytest.mark.parametrize(("wait", "length"), [(FINE - 1, 1), (FINE, 2), (1_500, 2), (2_100, 4)])
def test_labels_that_take_over_a_thousand_buckets_are_waited_for_in_longer_cohorts(wait: int, length: int) -> None:
    """Of a day's hundred labels ten come at once, twenty after half of the wait, some at its end, and nine too late."""
    detector, found = opened(wait * DAY_MS), {}
    for number in range(wait + 5 * length):
        at_last = number - wait
        labels = {number: 10, number - wait // 2: 20, at_last: 30 + at_last % 5, at_last - length: 9}
        one = share(detector, day(number, 100, measured(number, labels)))
        if one is not None:
            found[number] = one
    assert list(found) == [wait + length * place - 1 for place in range(1, 6)], "once each, when its last day was waited for"
    for place, (missing, rows) in enumerate(found.values()):
        asked = range(place * length, (place + 1) * length)
        assert (missing, rows) == (pytest.approx(sum(40 - at % 5 for at in asked) / (100 * length)), 100 * length)


def test_a_day_of_few_predictions_counts_in_a_longer_cohort_as_its_labels_do() -> None:
    detector = opened(FINE * DAY_MS)
    few = day(0, 9, {0: 4})
    share(detector, few._replace(inputs=None, requests=Requests(9, 2)))
    share(detector, day(1, 13, {0: 1, 1: 5}))
    found = [share(detector, day(number, 0, {})) for number in range(2, FINE + 2)]
    assert found[-1] == (pytest.approx(1 - 10 / 20), 20), "two are suspect, and their labels are in no loss"
    assert found[:-1] == [None] * (FINE - 1)


def test_labels_after_a_gap_are_of_what_still_waits_and_those_of_later_requests_of_nothing_yet() -> None:
    """Cohorts of two days are counted by fours in such a gap, and the first of them was looked at before it."""
    detector = opened(FINE * DAY_MS)
    for number in range(4):
        share(detector, day(number, 100, measured(number, {number: 50, number + 1: 7})))
    assert share(detector, day(FINE + 1, 0, {})) == (0.5, 200)
    late = 3 * FINE
    assert measured(late, {2: 30, 3: 30}) == {0: 60}
    assert share(detector, day(late, 0, measured(late, {2: 30, 3: 30}))) == (pytest.approx(1 - 160 / 200), 200)


def test_labels_of_predictions_that_were_late_make_no_share_below_none() -> None:
    detector = opened(1)
    share(detector, day(0, 10, {0: 12}))
    assert share(detector, day(1, 10, {})) == (0.0, 10)


def test_outcomes_of_which_nobody_counted_whose_they_are_leave_the_cohorts_that_wait_unread() -> None:
    detector = opened()
    share(detector, day(0, 100, {0: 50}))
    share(detector, day(1, 100, {0: 50}, is_counted=False))
    assert [share(detector, day(number, 100, {number: 100})) for number in (2, 3)] == [None, None]
    assert share(detector, day(4, 100, {4: 100})) == (0.0, 100), "of day 2"


def test_a_summary_of_before_cohorts_were_counted_can_be_read() -> None:
    view = WORLD.view(0)
    assert view.losses is not None
    told = msgspec.to_builtins(view.losses)
    del told["cohorts"]
    assert msgspec.convert(told, LossSummary).cohorts == []


def test_too_few_predictions_are_no_cohort() -> None:
    detector = opened(1)
    view = day(0, 5, {0: 1})
    share(detector, view._replace(inputs=None))
    assert share(detector, day(1, 10, {0: 1})) is None


def test_what_is_shown_is_the_share_with_a_label_and_the_one_that_is_usual_then() -> None:
    usual = Usual(level=2 * (math.asin(math.sqrt(0.1)) - math.pi / 4), rows=1.0, buckets=9)
    normal = Normal(
        bucket_ms=DAY_MS, since_ms=0, until_ms=1, buckets=99, confirm_after=2, clear_after=3, level=1.0, rate=0.01, excess=0.4,
        signals={"labels_coverage": {"labels: missing": usual}}, label_delay_ms=1,
    )  # fmt: skip
    detector = opened(1, normal)
    views = [day(0, 100, {0: 100}), day(1, 300, {1: 200}), day(2, 9, {1: 0})]
    for view in views:
        detector.read(view)
    before, after = detector.sketch(0, views)
    assert before == {"labelled": pytest.approx(0.9)}
    assert after == {"labelled": pytest.approx(300 / 400), "rows": 400.0}
    assert opened(1).sketch(0, views) == ({}, {"labelled": 0.0, "rows": 0.0})


@pytest.mark.parametrize("rows", [100, 1_000])
def test_labels_that_are_missing_by_chance_are_as_surprising_as_normal_deviates(rows: int) -> None:
    detector, generator = opened(1), np.random.default_rng(rows)
    labelled = generator.binomial(rows, 0.9, 6_000).tolist()
    found = [detector.read(day(number, rows, {number: count})) for number, count in enumerate(labelled)]
    level = np.array([readings.level[0] for readings in found[1:]])
    surprises = (level - level.mean()) * math.sqrt(rows)
    assert surprises.std() == pytest.approx(1, abs=0.04)
    assert 0.002 < (surprises > 2.33).mean() < 0.016


def test_where_it_isnt_known_whether_all_requests_are_there_there_is_no_cohort() -> None:
    """As of the rows of a training, which all have labels."""
    detector = opened(1)
    share(detector, day(0, 100, {0: 100})._replace(requests=None))
    assert share(detector, day(1, 100, {1: 100})) is None
