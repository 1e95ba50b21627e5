"""Periods, live quality and the recovered share."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.bench.closed_loop.metrics.quality import (
    PeriodQuality,
    Quality,
    live_quality,
    recovered_share,
    share_of_oracle,
    shared_means,
    shortfall,
)
from tests.bench.closed_loop.metrics.scored import DAY_MS, Scored, Span, equal_spans, spans_of

NEW_YORK = ZoneInfo("America/New_York")
NAN = float("nan")


def at(year: int, month: int, day: int, zone: ZoneInfo = NEW_YORK) -> int:
    return round(datetime(year, month, day, tzinfo=zone).timestamp() * 1_000)


def days(first: float, last: float) -> Span:
    return Span(round(first * DAY_MS), round(last * DAY_MS))


def quality(*values: float | None) -> Quality:
    return Quality("auc", tuple(PeriodQuality(days(i, i + 1), 10, 10, value) for i, value in enumerate(values)))


def test_columns_are_put_in_order_and_ties_stay():
    scored = Scored.of([30, 10, 10], [1, 0, 1], [0.3, 0.1, 0.2])
    assert scored.time_ms.tolist() == [10, 10, 30]
    assert scored.score.tolist() == [0.1, 0.2, 0.3]
    assert scored.time_ms.dtype == np.int64


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2, 1 and 2 rows"):
        Scored.of([1, 2], [0], [0.1, 0.2])


def test_a_span_has_its_beginning_and_not_its_end():
    scored = Scored.of([10, 20, 30], [0, NAN, 1], [0.1, 0.2, NAN])
    assert scored.within(Span(10, 30)).time_ms.tolist() == [10, 20]
    assert scored.within(Span(31, 90)).time_ms.tolist() == []
    assert scored.labelled().time_ms.tolist() == [10, 30]
    assert scored.usable().time_ms.tolist() == [10]


@pytest.mark.parametrize("last", [75, 76, 77, 78, 80, 81, 84, 114, 122])
def test_weeks_are_those_of_the_offline_figures(last: int):
    first = 70
    # The rule as the offline figures state it: a last week of at least four days counts.
    expected = [(w, min(w + 7, last)) for w in range(first, last, 7) if min(w + 7, last) - w >= 4]
    found = spans_of("week", days(first, last))
    assert [(one.since_ms // DAY_MS, one.until_ms // DAY_MS) for one in found] == expected


def test_months_follow_the_calendar_and_the_clock_change():
    found = spans_of("month", Span(at(2013, 3, 1), at(2013, 9, 1)), "America/New_York")
    assert [one.since_ms for one in found] == [at(2013, month, 1) for month in range(3, 9)]
    assert all(one.until_ms == following.since_ms for one, following in pairwise(found))
    # March of 2013 lost an hour in New York.
    assert found[0].until_ms - found[0].since_ms == 31 * DAY_MS - 3_600_000


def test_cut_months_count_from_four_sevenths_on():
    utc = ZoneInfo("UTC")
    # From 10 December on 22 of 31 days; 17 of January's 31 days are too few, 18 are enough.
    december = Span(at(2013, 12, 10, utc), at(2014, 1, 1, utc))
    assert spans_of("month", Span(december.since_ms, at(2014, 1, 18, utc))) == (december,)
    assert spans_of("month", Span(december.since_ms, at(2014, 1, 19, utc))) == (
        december,
        Span(december.until_ms, at(2014, 1, 19, utc)),
    )


def test_other_cuts():
    assert spans_of("all", days(0, 3)) == (days(0, 3),)
    assert equal_spans(Span(5, 26), 10) == (Span(5, 15), Span(15, 25))
    assert equal_spans(Span(5, 25), 10) == (Span(5, 15), Span(15, 25))
    assert equal_spans(Span(5, 10), 10) == ()


def test_weekly_average_precision_is_that_of_the_offline_figures():
    rng = np.random.default_rng(0)
    day = np.sort(rng.uniform(70, 122, 4_000))
    label = (rng.random(4_000) < 0.1).astype(float)
    score = np.round(0.3 * label + rng.random(4_000), 1)
    weeks = [(w, min(w + 7, 122)) for w in range(70, 122, 7) if min(w + 7, 122) - w >= 4]
    inside = [(day >= a) & (day < b) for a, b in weeks]
    expected = [average_precision_score(label[rows], score[rows]) for rows in inside]
    found = live_quality(Scored.of(day * DAY_MS, label, score), "average_precision", spans_of("week", days(70, 122)))
    assert [one.value for one in found.periods] == pytest.approx(expected)
    assert found.mean == pytest.approx(np.mean(expected))
    assert [one.rows for one in found.periods] == [int(rows.sum()) for rows in inside]


def test_weeks_without_rows_truth_or_a_second_class_have_no_value():
    scored = Scored.of(
        [0, 1, DAY_MS, DAY_MS + 1, 3 * DAY_MS, 3 * DAY_MS + 1], [0, 1, 0, 0, NAN, NAN], [0.2, 0.8, 0.1, 0.2, 0.1, 0.2]
    )
    found = live_quality(scored, "auc", equal_spans(days(0, 4), DAY_MS))
    assert [one.value for one in found.periods] == [1, None, None, None]
    assert [one.rows for one in found.periods] == [2, 2, 0, 0]
    assert found.mean == 1
    assert live_quality(scored, "auc", []).mean is None
    assert live_quality(scored, "auc", [days(1, 2)]).mean is None


def test_a_policy_must_have_scored_nearly_all_rows():
    times, labels = np.arange(100), np.arange(100) % 2.0
    scores = labels.copy()
    scores[:5] = NAN
    assert live_quality(Scored.of(times, labels, scores), "accuracy", [Span(0, 100)]).periods[0] == (Span(0, 100), 100, 95, 1.0)
    scores[5] = NAN
    period = live_quality(Scored.of(times, labels, scores), "accuracy", [Span(0, 100)]).periods[0]
    assert period == (Span(0, 100), 100, 94, None)
    assert not period.is_covered


def test_rows_without_a_truth_need_no_score():
    scored = Scored.of([0, 1, 2, 3], [0, 1, NAN, NAN], [0.1, 0.9, NAN, NAN])
    assert live_quality(scored, "auc", [Span(0, 10)]).mean == 1


def test_means_are_over_shared_periods():
    assert shared_means([quality(0.5, 0.7, None), quality(0.9, None, 0.1)]) == (0.5, 0.9)
    assert shared_means([quality(0.5, None), quality(None, 0.7)]) is None
    assert shared_means([quality(), quality()]) is None
    with pytest.raises(ValueError, match="different periods"):
        shared_means([quality(0.5), quality(0.5, 0.6)])


def test_recovered_share():
    never, oracle = quality(0.2, 0.2), quality(0.8, 0.8)
    assert recovered_share(quality(0.5, 0.5), never, oracle) == pytest.approx(0.5)
    assert recovered_share(quality(0.1, 0.1), never, oracle) == pytest.approx(-1 / 6)
    assert recovered_share(quality(0.9, 0.9), never, oracle) == pytest.approx(7 / 6)
    # Only the first period is shared.
    assert recovered_share(quality(0.5, None), never, quality(0.4, 0.8)) == pytest.approx(1.5)


@pytest.mark.parametrize(("oracle", "is_computable"), [(0.51, True), (0.5099, False), (0.4, False), (None, False)])
def test_recovered_share_needs_something_to_recover(oracle: float | None, is_computable: bool):  # noqa: FBT001 - a parameter of the test
    assert (recovered_share(quality(0.505), quality(0.5), quality(oracle)) is not None) == is_computable


def test_against_another_policy_shared_periods_count():
    ours, other = quality(0.6, 0.9, None), quality(0.8, None, 0.1)
    assert share_of_oracle(ours, other) == pytest.approx(0.75)
    assert shortfall(ours, other) == pytest.approx(0.2)
    assert shortfall(other, ours) == pytest.approx(-0.2)
    assert share_of_oracle(quality(None), quality(0.5)) is None
    assert shortfall(quality(None), quality(0.5)) is None
    assert share_of_oracle(quality(0.5), quality(0.0)) is None
