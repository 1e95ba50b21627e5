"""Goals are measured on the rows of their cohort and their days, together; what can't be measured says why."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skills._kit import goals
from skills._kit.frames import Floats
from skills._kit.goals import Baseline, Change, Goal, Reached, Rows, Side, reached
from streams.contracts.schema import Column, ModelSchema, Task
from streams.contracts.slices import Condition

DAY = 86_400_000
COLUMNS = (
    Column(name="amount", kind="number"),
    Column(name="country", kind="category"),
    Column(name="email", kind="category", role="key", tags=("pii",), protect="hash"),
)
EUROPE = (Condition(column="country", values=("FR", "DE")),)


def rows_of(count: int = 2_000, task: Task = "binary", **columns: Any) -> Rows:
    """Rows over ten days, half of them European, on which both models are the same and right in nine of ten."""
    rng = np.random.default_rng(5)
    labels = (rng.random(count) < 0.5).astype(float)
    scores = np.where(rng.random(count) < 0.9, 0.25 + 0.5 * labels, 0.75 - 0.5 * labels)
    named = {
        "time_ms": np.arange(count, dtype=np.int64) * (10 * DAY) // count,
        "label": labels,
        "amount": rng.normal(size=count),
        "country": np.where(np.arange(count) % 2 == 0, "FR", "US"),
        "email": ["x"] * count,
    }
    return rows(named | columns, scores, scores, task)


def rows(columns: dict[str, Any], champion: Floats, challenger: Floats, task: Task = "binary") -> Rows:
    schema = ModelSchema(columns=COLUMNS, task=task)
    return Rows(schema, pa.table(columns), Side("c" * 64, 0.5, champion), Side("d" * 64, 0.5, challenger))


def challenged(given: Rows, scores: Floats, threshold: float = 0.5) -> Rows:
    return given._replace(challenger=Side("d" * 64, threshold, scores))


def goal(**changes: Any) -> Goal:
    return Goal(**({"id": "g", "digest": "a" * 64, "metric": "precision", "floor": 0.8} | changes))


def one(wanted: Goal, given: Rows) -> Reached:
    (found,) = reached((wanted,), given, 0)
    return found


def test_both_are_measured_on_the_rows_of_the_cohort():
    given = rows_of()
    inside = np.array(given.table["country"].to_pylist()) == "FR"
    labels, scores = given.table["label"].to_numpy(), given.champion.scores
    # The challenger calls ten European rows more positive that aren't.
    wrong = np.flatnonzero(inside & (labels == 0) & (scores < 0.5))[:60]
    worse = scores.copy()
    worse[wrong] = 0.9
    found = one(goal(cohort=EUROPE), challenged(given, worse))
    called = inside & (scores >= 0.5)
    assert found.rows == 1_000
    assert found.cases == called.sum()
    assert found.champion is not None
    assert found.challenger is not None
    assert found.difference is not None
    assert found.champion.value == pytest.approx(labels[called].mean())
    assert found.challenger.value == pytest.approx(labels[called].sum() / (called.sum() + 60))
    assert found.difference.value == pytest.approx(found.challenger.value - found.champion.value)
    assert found.difference.high < 0
    assert found.challenger.low < found.challenger.value < found.challenger.high
    elsewhere = one(goal(cohort=(Condition(column="country", values=("US",)),)), challenged(given, worse))
    assert elsewhere.difference is not None
    assert (elsewhere.difference.low, elsewhere.difference.high) == (0.0, 0.0)
    assert (found.goal, found.digest, found.metric, found.floor, found.ceiling) == ("g", "a" * 64, "precision", 0.8, None)


def test_lower_is_better_where_it_is():
    given = rows_of()
    found = one(goal(metric="brier", floor=None, ceiling=0.3), challenged(given, given.table["label"].to_numpy() * 0.8 + 0.1))
    assert found.champion is not None
    assert found.challenger is not None
    assert found.difference is not None
    assert found.challenger.value < found.champion.value
    assert found.difference.low > 0


def test_each_bundle_has_its_own_threshold():
    given = rows_of()
    found = one(goal(metric="recall"), challenged(given, given.champion.scores, 0.9))
    assert found.champion is not None
    assert found.challenger is not None
    assert found.champion.value > 0.8
    assert found.challenger.value == 0.0


def test_conditions_of_numbers_and_days_hold_together():
    given = rows_of()
    cohort = (Condition(column="amount", low=0.0, high=1.0),)
    found = one(goal(cohort=cohort, since_ms=2 * DAY, until_ms=9 * DAY), given)
    amount, time_ms = given.table["amount"].to_numpy(), given.table["time_ms"].to_numpy()
    assert found.rows == ((amount >= 0) & (amount < 1) & (time_ms >= 2 * DAY) & (time_ms < 9 * DAY)).sum()


def test_missing_values_belong_to_no_cohort_and_missing_labels_to_no_goal():
    count = 2_000
    amount: list[float | None] = [None if place % 4 == 0 else 1.0 for place in range(count)]
    label = [None if place % 4 == 1 else float(place % 2) for place in range(count)]
    found = one(goal(cohort=(Condition(column="amount", low=0.0),), metric="accuracy"), rows_of(amount=amount, label=label))
    assert found.rows == count // 2


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (goal(since_ms=20 * DAY, until_ms=30 * DAY), "0 rows are of its cohort and its days; at least 100"),
        (goal(cohort=(Condition(column="country", values=("JP",)),)), "0 rows are of its cohort"),
        (goal(cohort=(Condition(column="weight", low=1.0),)), "no column 'weight'"),
        (goal(cohort=(Condition(column="country", low=1.0),)), "country is a category"),
        (goal(cohort=(Condition(column="amount", values=("x",)),)), "amount is a number"),
        (goal(cohort=(Condition(column="amount", low=2.0, high=1.0),)), "can't be from 2 on and below 1"),
        (goal(cohort=(Condition(column="email", values=("x",)),)), "tagged pii"),
        (goal(metric="latency_p99"), "latency of answers isn't measured"),
        (goal(metric="rmse"), "no metric of a binary model"),
        (goal(metric="charm"), "nothing measures this metric"),
        (goal(metric=""), "nothing measures this metric"),
        (goal(floor=None), "it has no bound"),
        (goal(objection="its objective can't be read"), "its objective can't be read"),
    ],
)
def test_what_can_t_be_measured_says_why_and_is_nothing(wanted: Goal, why: str):
    found = one(wanted, rows_of())
    assert (found.champion, found.challenger, found.difference, found.baseline) == (None, None, None, None)
    assert why in found.reason
    assert "\n" not in found.reason


def test_a_cohort_of_the_rows_column_that_isn_t_there_is_not_measured():
    given = rows_of()
    assert (
        "have no column 'amount'"
        in one(
            goal(cohort=(Condition(column="amount", low=0.0),)), given._replace(table=given.table.drop_columns(["amount"]))
        ).reason
    )


def test_a_challenger_that_calls_nothing_positive_isn_t_measured_where_the_champion_is():
    given = rows_of()
    found = one(goal(), challenged(given, np.full(2_000, 0.1)))
    assert found.champion is not None
    assert found.challenger is None
    assert found.difference is None
    assert found.reason == "challenger: precision is counted among 0 of the rows; at least 10 are needed"


def test_scores_that_are_no_numbers_aren_t_left_out():
    given = rows_of()
    scores = given.champion.scores.copy()
    scores[7] = np.nan
    found = one(goal(), challenged(given, scores))
    assert found.champion is not None
    assert found.challenger is None
    assert found.reason == "challenger: 1 rows have a score that is no number"
    both = one(goal(), challenged(given._replace(champion=Side("c" * 64, 0.5, scores)), scores))
    assert (both.champion, both.challenger, both.reason) == (None, None, "1 rows have a score that is no number")


def test_one_class_has_recall_and_no_auc():
    given = rows_of(label=np.ones(2_000))
    assert one(goal(metric="recall"), given).champion is not None
    assert "auc is counted among 0 of the rows" in one(goal(metric="auc"), given).reason


def test_several_goals_are_corrected_for_their_number():
    given = rows_of()
    alone = one(goal(metric="auc"), given)
    metrics = ("precision", "recall", "auc", "brier")
    together = reached(tuple(goal(id=name, metric=name) for name in metrics), given, 0)
    assert [found.metric for found in together] == list(metrics)
    assert alone.level == 0.95
    assert {found.level for found in together} == {1 - 0.05 / 4}
    assert alone.champion is not None
    assert together[2].champion is not None
    assert together[2].champion.low < alone.champion.low < alone.champion.high < together[2].champion.high
    # What isn't measured costs the others nothing.
    beside = reached((goal(metric="auc"), goal(metric="latency_p50"), goal(metric="rmse")), given, 0)
    assert beside[0] == alone


@pytest.mark.parametrize(
    ("wanted", "floor", "ceiling"),
    [
        (goal(floor=None, change=Change(by=0.02, of="points")), 0.88, None),
        (goal(floor=None, change=Change(by=0.1, of="relative")), 0.81, None),
        (goal(floor=None, aim="improve", change=Change(by=0.05, of="points")), 0.95, None),
        (goal(floor=None, aim="improve", change=Change(by=0.1, of="relative")), 0.99, None),
        (goal(floor=None, aim="improve"), np.nextafter(0.9, 1), None),
        (goal(floor=None, metric="brier", change=Change(by=0.02, of="points")), None, 0.92),
        (goal(floor=None, metric="brier", aim="improve", change=Change(by=0.1, of="relative")), None, 0.81),
        (goal(floor=None, metric="brier", aim="improve"), None, np.nextafter(0.9, 0)),
    ],
)
def test_a_change_is_told_from_where_the_champion_stood(wanted: Goal, floor: float | None, ceiling: float | None):
    stood = Baseline(value=0.9, low=0.85, high=0.95, rows=500, champion="b" * 64, measured="by_itself", time_ms=7)
    found = one(Goal(**{name: getattr(wanted, name) for name in wanted.__struct_fields__} | {"baseline": stood}), rows_of())
    assert found.floor == (None if floor is None else pytest.approx(floor, abs=1e-12))
    assert found.ceiling == (None if ceiling is None else pytest.approx(ceiling, abs=1e-12))
    assert found.baseline == stood


def test_to_improve_is_to_be_beyond_the_baseline_and_not_at_it():
    stood = Baseline(value=0.9, low=0.85, high=0.95, rows=500, champion="b" * 64, measured="by_itself")
    higher = one(goal(floor=None, aim="improve", baseline=stood), rows_of())
    lower = one(goal(floor=None, aim="improve", baseline=stood, metric="brier"), rows_of())
    assert higher.floor is not None
    assert lower.ceiling is not None
    assert lower.ceiling < 0.9 < higher.floor


def test_without_a_baseline_it_is_told_from_the_champion_of_this_comparison():
    given = rows_of()
    found = one(goal(floor=None, change=Change(by=0.02, of="points")), challenged(given, np.full(2_000, 0.9)))
    assert found.champion is not None
    assert found.baseline is not None
    assert found.floor == found.champion.value - 0.02
    assert (found.baseline.value, found.baseline.low) == (found.champion.value, found.champion.low)
    assert (found.baseline.measured, found.baseline.champion, found.baseline.rows) == ("in_a_comparison", "c" * 64, 2_000)
    nobody = one(goal(floor=None, aim="improve", cohort=(Condition(column="country", values=("JP",)),)), given)
    assert (nobody.baseline, nobody.floor, nobody.ceiling) == (None, None, None)


@pytest.mark.parametrize(("differing", "sure"), [(5, "no"), (6, "yes")])
def test_a_few_rows_that_all_speak_against_it_may_be_chance(differing: int, sure: str):
    given = rows_of()
    labels, scores = given.table["label"].to_numpy(), given.champion.scores.copy()
    wrong = np.flatnonzero((labels == 0) & (scores < 0.5))[::100][:differing]
    scores[wrong] = 0.9
    found = one(goal(metric="accuracy", floor=0.99), challenged(given, scores))
    assert found.difference is not None
    assert found.difference.value < 0
    assert (found.difference.high < 0) == (sure == "yes")


def test_over_is_told_back():
    assert one(goal(over="30 days"), rows_of()).over == "30 days"


def test_regressions_are_measured():
    rng = np.random.default_rng(1)
    given = rows_of(task="regression", label=rng.normal(size=2_000))
    found = reached(tuple(goal(id=name, metric=name, floor=0.0) for name in ("rmse", "mae", "r2", "auc")), given, 0)
    assert [one.champion is not None for one in found] == [True, True, True, False]


@pytest.mark.parametrize(("number", "draws"), [(1, 1_000), (2, 1_000), (10, 4_000), (50, 20_000)])
def test_many_goals_have_draws_enough_for_their_intervals(monkeypatch: pytest.MonkeyPatch, number: int, draws: int):
    asked: list[int] = []
    draw = goals.block_draws

    def drawing(rows: int, seed: int, draws: int) -> Any:
        asked.append(draws)
        return draw(rows, seed, min(draws, 50))

    monkeypatch.setattr(goals, "block_draws", drawing)
    reached(tuple(goal(id=str(place)) for place in range(number)), rows_of(200), 0)
    assert asked == [draws]
    assert draws * 0.05 / number / 2 >= 10
