"""Which column a rise of the expected loss comes by: known answers of made-up losses, and of a model that was trained."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills._kit import explained
from skills._kit.explained import FEWEST_ROWS, ROWS, expected_by, parts_of
from streams.contracts.bundle import STAND_IN
from streams.detectors.base import Columns, Floats
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from tests.kit.served import Served, diagnosed, late, served_in
from tests.kit.shops import MODEL

NOW = {"a": np.full(200, 3.0), "b": np.full(200, 5.0), "c": np.array(["x", "y"] * 100, object)}
THEN = {"a": np.full(50, 1.0), "b": np.full(50, 1.0), "c": np.array(["y"] * 50, object)}


def columns_of(expected: object, now: Columns = NOW, then: Columns = THEN) -> dict[str, tuple[float, float]]:
    """The part of each column, and how wide its interval is."""
    parts = parts_of(expected, now, then, np.random.default_rng(1))  # type: ignore[arg-type]
    return {part.feature: (part.loss, part.high - part.low) for part in parts}


def test_of_a_loss_that_adds_up_each_column_has_its_own_part() -> None:
    def adding(rows: Columns) -> Floats:
        return 2 * rows["a"] + rows["b"]

    found = columns_of(adding)
    assert found == {"a": (pytest.approx(4), pytest.approx(0)), "b": (pytest.approx(4), pytest.approx(0)), "c": (0.0, 0.0)}


def test_what_columns_do_together_is_halved() -> None:
    """The product of both rises from 1 to 15: by 2 and by 10 where the other is put back first, by 4 and by 12 where it isn't."""
    found = columns_of(lambda rows: rows["a"] * rows["b"])
    assert found["a"][0] == pytest.approx((2 + 10) / 2)
    assert found["b"][0] == pytest.approx((4 + 12) / 2)
    assert sum(loss for loss, _ in found.values()) == pytest.approx(15 - 1)


def test_a_category_counts_for_the_rows_that_changed() -> None:
    found = columns_of(lambda rows: np.where(rows["c"] == "x", 1.0, 0.0))
    assert found["c"][0] == pytest.approx(0.5)
    assert found["a"] == (0.0, 0.0)
    assert 0 < found["c"][1] < 0.3


def test_the_largest_part_comes_first_and_a_fall_is_below_nothing() -> None:
    parts = parts_of(lambda rows: 3 * rows["b"] - rows["a"], NOW, THEN, np.random.default_rng(1))
    assert [part.feature for part in parts] == ["b", "c", "a"]
    assert [part.loss for part in parts] == pytest.approx([12, 0, -2])


def test_intervals_hold_the_part_about_nineteen_times_in_twenty() -> None:
    """Squares of a normal column that moved by one rise by one; they lean, and the reference is a sample too: 0.94 of 1,200."""
    held = 0
    for seed in range(400):
        generator = np.random.default_rng(seed)
        now, then = {"a": generator.normal(1, 1, 300)}, {"a": generator.normal(0, 1, 2_000)}
        (part,) = parts_of(lambda rows: rows["a"] ** 2, now, then, generator)
        held += part.low <= 1 <= part.high
    assert 0.89 <= held / 400 <= 0.98


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served_in(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def scorer(served: Served) -> Scorer:
    return load(BundleStore(Path(served.common["registry"])), MODEL, served.common["champion"])


def reference_of(served: Served) -> pa.Table:
    return BundleStore(Path(served.common["registry"])).read_reference(MODEL, served.common["champion"])


def moved_by(served: Served, rows: int, **by: float) -> pa.Table:
    """The last rows, some columns moved, with no windows."""
    table = served.given.table.slice(served.given.table.num_rows - rows)
    for name, shift in by.items():
        column = pa.array(table.column(name).to_numpy() + shift, from_pandas=True)
        table = table.set_column(table.column_names.index(name), name, column)
    return table.append_column("windows", pa.array([[]] * rows, pa.list_(pa.struct([("key", pa.string())]))))


def test_a_rise_comes_by_the_column_that_the_model_looks_at(served: Served, scorer: Scorer) -> None:
    """Labels hang on the amount alone, so weights that move as far explain nearly nothing."""
    found = expected_by(scorer, reference_of(served), moved_by(served, 900, amount=2.0, weight=4.0), ["weight", "amount"], 0)
    assert found is not None
    assert found.rows == ROWS
    amount, weight = sorted(found.columns, key=lambda part: part.feature)
    assert found.rise > 0.05
    assert amount.low > 0
    assert amount.loss > 3 * abs(weight.loss)
    assert amount.loss + weight.loss == pytest.approx(found.rise, abs=0.05)
    again = expected_by(scorer, reference_of(served), moved_by(served, 900, amount=2.0, weight=4.0), ["weight", "amount"], 0)
    assert again == found


def test_rows_that_are_as_the_reference_explain_nothing(served: Served, scorer: Scorer) -> None:
    found = expected_by(scorer, reference_of(served), moved_by(served, 900), ["amount", "colour"], 0)
    assert found is not None
    assert abs(found.rise) < 0.04
    for part in found.columns:
        assert part.low - 0.02 < 0 < part.high + 0.02


def test_no_more_columns_are_asked_than_cost_allows_and_none_that_nobody_may_see(
    served: Served, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = expected_by(scorer, reference_of(served), moved_by(served, 100), ["email", "amount", "weight", "shop", "colour"], 0)
    assert found is not None
    assert found.rows == 100, "each once"
    assert {part.feature for part in found.columns} == {"amount", "weight", "shop", "colour"}, "an address is in no reference"
    monkeypatch.setattr(explained, "MOST_COLUMNS", 2)
    fewer = expected_by(scorer, reference_of(served), moved_by(served, 100), ["shop", "email", "amount", "colour"], 0)
    assert fewer is not None
    assert {part.feature for part in fewer.columns} == {"shop", "amount"}, "those that moved most"


def test_nothing_is_said_of_too_little(served: Served, scorer: Scorer) -> None:
    reference = reference_of(served)
    few = moved_by(served, FEWEST_ROWS - 1)
    assert expected_by(scorer, reference, few, ["amount"], 0) is None
    assert expected_by(scorer, reference.slice(0, FEWEST_ROWS - 1), moved_by(served, 100), ["amount"], 0) is None
    assert expected_by(scorer, reference, moved_by(served, 100), [], 0) is None
    assert expected_by(scorer, reference, moved_by(served, 100), ["unknown"], 0) is None
    bare = Scorer.__new__(Scorer)
    bare.__dict__.update(scorer.__dict__, _profile=msgspec.structs.replace(scorer.profile, outcomes=None))
    assert expected_by(bare, reference, moved_by(served, 100), ["amount"], 0) is None
    lineage = {STAND_IN: {"mean_distance": 0.0}}
    bare.__dict__.update(scorer.__dict__, _manifest=msgspec.structs.replace(scorer.manifest, lineage=lineage))
    assert expected_by(bare, reference, moved_by(served, 100), ["amount"], 0) is None, "an imitation isn't what was served"


def test_a_diagnosis_says_which_column_the_expected_loss_rises_by(served: Served, tmp_path: Path) -> None:
    amounts = np.array(served.given.table["amount"].to_pylist())
    moved = np.where(late(served), amounts + 2.0, amounts)
    table = served.given.table
    shifted = table.set_column(table.column_names.index("amount"), "amount", pa.array(moved))
    bundle = load(BundleStore(Path(served.common["registry"])), MODEL, served.common["champion"])
    scores = bundle.score_rows(
        {name: np.array(shifted.column(name).to_pylist()) for name in ("amount", "weight", "shop", "colour", "email")},
        table.column("time_ms").to_pylist(),
    )
    found = diagnosed(served, tmp_path, ("feature_drift",), amount=moved.tolist(), score=scores)
    assert found.expected is not None
    assert found.expected.columns[0].feature == "amount"
    assert found.expected.columns[0].low > 0
    assert diagnosed(served, tmp_path / "calm").expected is None, "no column moved"
