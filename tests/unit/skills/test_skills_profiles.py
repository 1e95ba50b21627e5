"""What a reference says of the losses of its columns, and what a drift is told to cost by it."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills._kit.profiles import number_profile, profile_of, with_column_losses
from skills._kit.usual import Later, Rows
from streams.contracts.bundle import Profile
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.summaries import CategoryCounts, NumberCounts
from streams.detectors._bins import sketch_numbers
from streams.detectors._tables import sketch_shares

SCHEMA = ModelSchema(columns=(Column(name="size", kind="number"), Column(name="colour", kind="category")))
ROWS = 4_000


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Large ones are a toss-up and the model says so; small ones it knows. Colours say nothing. Every tenth size is missing."""
    generator = np.random.default_rng(0)
    size = generator.normal(size=ROWS)
    chance = np.where(size > 0, 0.5, 0.05)
    labels = (generator.random(ROWS) < chance).astype(float)
    colour = generator.choice(["blue", "red"], ROWS, p=[0.98, 0.02])
    times = np.arange(ROWS)
    later = Later(times, times, labels, chance)
    missing = [None if number % 10 == 0 else float(value) for number, value in enumerate(size)]
    table = pa.table({"size": missing, "colour": colour, "label": labels, "time_ms": times})
    found = profile_of(SCHEMA, table, (), later, generator)
    return with_column_losses(found, "binary", Rows(table, later))


def test_each_bin_has_the_loss_of_its_rows(profile: Profile) -> None:
    loss = np.array(profile.numbers["size"].loss)
    assert len(loss) == len(profile.numbers["size"].shares)
    assert loss[-1] == pytest.approx(np.log(2), abs=0.06)
    assert loss[0] == pytest.approx(-(0.05 * np.log(0.05) + 0.95 * np.log(0.95)), abs=0.1)


def test_a_category_of_few_rows_is_drawn_to_the_mean_of_all(profile: Profile) -> None:
    loss = profile.categories["colour"].loss
    assert loss["red"] == pytest.approx(profile.loss_mean, abs=0.1)
    assert loss["blue"] == pytest.approx(profile.loss_mean, abs=0.02)


def test_a_drift_to_where_the_model_is_unsure_is_said_to_cost_what_it_does(profile: Profile) -> None:
    number = profile.numbers["size"]
    bins = len(number.shares)
    shown = sketch_numbers(number, [NumberCounts(bins=[0] * (bins // 2) + [10] * (bins - bins // 2))])
    assert shown.before["expected_loss"] == pytest.approx(profile.loss_mean, abs=0.02)
    assert shown.after["expected_loss"] == pytest.approx(np.log(2), abs=0.06)


def test_a_drift_among_what_makes_no_difference_costs_nothing(profile: Profile) -> None:
    shown = sketch_shares(profile.categories["colour"], [CategoryCounts(counts={"blue": 60, "red": 30}, unseen=10)])
    assert shown.after["expected_loss"] == pytest.approx(shown.before["expected_loss"], abs=0.05)
    assert shown.after["red"] == pytest.approx(0.3)


def test_nothing_is_said_of_no_rows_and_where_nobody_measured(profile: Profile) -> None:
    number = profile.numbers["size"]
    assert "expected_loss" not in sketch_numbers(number, []).after
    bare = msgspec.structs.replace(number, loss=[])
    assert "expected_loss" not in sketch_numbers(bare, [NumberCounts(bins=[1] * len(bare.shares))]).after


@pytest.mark.parametrize(("rows", "bins"), [(500, 20), (6_000, 60), (50_000, 100)])
def test_scores_are_told_apart_more_finely_the_more_is_known(rows: int, bins: int) -> None:
    generator = np.random.default_rng(0)
    scores, times = generator.random(rows), np.arange(rows)
    table = pa.table({"a": scores, "label": np.zeros(rows), "time_ms": times})
    later = Later(times, times, np.zeros(rows), scores)
    schema = ModelSchema(columns=(Column(name="a", kind="number"),))
    found = profile_of(schema, table, (), later, generator)
    assert (len(found.score.shares), len(found.numbers["a"].shares)) == (bins, 20)


def test_rounding_moves_no_row_to_another_bin() -> None:
    """Half of all rows have one of three scores, as where few leaves of a model are reached, and another run rounds otherwise."""
    generator = np.random.default_rng(0)
    values = np.r_[generator.choice([0.0028, 0.0031, 0.0033], 5_000), generator.random(5_000)]
    profile = number_profile(values, generator)
    usual = np.bincount(np.searchsorted(profile.edges, values, side="right"), minlength=len(profile.shares)) / len(values)
    assert profile.shares == pytest.approx(usual)
    assert sum(share > 0.1 for share in profile.shares) == 3
    for rounded in (values + 1e-7, values - 1e-7, values.astype(np.float32).astype(float)):
        moved = np.bincount(np.searchsorted(profile.edges, rounded, side="right"), minlength=len(profile.shares)) / len(values)
        assert np.abs(moved - usual).max() < 1e-3


def test_each_value_has_the_bin_that_its_quantile_gave_it() -> None:
    profile = number_profile(np.arange(20.0).repeat(3), np.random.default_rng(0))
    assert profile.edges == [number + 0.5 for number in range(19)]
    nearest = number_profile(np.r_[0.0, np.nextafter(0.0, 1.0)].repeat(5), np.random.default_rng(0))
    assert nearest.shares == [0.5, 0.5]
