"""The planted feature."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from streams.contracts.features import Window
from tests.bench.closed_loop.metrics.features import Planted, feature_gain, found_feature

HOUR = 3_600_000
NAN = float("nan")
PLANTED = Planted(frozenset({"shop", "till"}), "count", "requests", HOUR)


def window(*by: str, hours: float = 1, **changes: str) -> Window:
    return Window(by=by, range_ms=round(hours * HOUR), **{"aggregate": "count", "source": "requests", **changes})  # type: ignore[arg-type]


def test_the_planted_window_is_found_whatever_the_order_of_its_keys():
    assert found_feature(PLANTED, [window("shop"), window("till", "shop")]) == window("till", "shop")


@pytest.mark.parametrize(
    "other",
    [
        window("shop"),
        window("shop", "till", "clerk"),
        window(),
        window("shop", "till", hours=1.001),
        window("shop", "till", source="outcomes"),
        window("shop", "till", aggregate="sum", column="amount"),
    ],
)
def test_others_are_not(other: Window):
    assert found_feature(PLANTED, [other]) is None


def test_the_column_counts_and_the_delay_does_not():
    planted = Planted(frozenset({"shop"}), "mean", "outcomes", HOUR, "label")
    late = Window(aggregate="mean", source="outcomes", column="label", by=("shop",), range_ms=HOUR, delay_ms=5)
    other = Window(aggregate="mean", source="outcomes", column="amount", by=("shop",), range_ms=HOUR)
    assert found_feature(planted, [other]) is None
    assert found_feature(planted, [other, late]) == late


def test_of_several_the_shortest_is_named():
    assert found_feature(PLANTED, [window("shop", "till"), window("shop", "till", hours=0.2)]) == window(
        "shop", "till", hours=0.2
    )
    assert found_feature(PLANTED, []) is None


def test_the_gain_is_over_rows_that_all_have():
    rng = np.random.default_rng(0)
    label = (rng.random(200) < 0.4).astype(float)
    better, worse = label + rng.normal(size=200), rng.normal(size=200)
    expected = roc_auc_score(label[3:], better[3:]) - roc_auc_score(label[3:], worse[3:])
    label[0], better[1], worse[2] = NAN, NAN, NAN
    assert feature_gain("auc", label, better, worse) == pytest.approx(expected)


def test_the_gain_needs_both_classes():
    assert feature_gain("auc", np.ones(5), np.arange(5.0), np.arange(5.0)) is None
    assert feature_gain("auc", np.full(5, NAN), np.arange(5.0), np.arange(5.0)) is None


def test_a_ratio_holds_the_mean_of_the_same_column_over_the_same_facts() -> None:
    planted = Planted(frozenset(), "mean", "requests", 24 * HOUR, "price")
    found = [Window(aggregate="ratio", source="requests", column=name, by=(), range_ms=4 * HOUR) for name in ("price", "load")]
    assert found_feature(planted, found) == found[0]
    assert found_feature(planted._replace(aggregate="sum"), found) is None
