"""What each kind of injection does, that it does nothing else, and that one seed gives one stream."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import assembled
from tests.bench.closed_loop.injections import (
    bursts,
    dead_column,
    faster,
    nulls,
    offset,
    poison_labels,
    scale,
    unseen_category,
)
from tests.bench.closed_loop.injections.base import Placed, Span, resolved
from tests.bench.closed_loop.injections.family import inject_all
from tests.bench.closed_loop.rows import DAY_MS, Rows, check

EPOCH_MS = 1_522_540_800_000
SCHEMA = ModelSchema(
    columns=(
        *(Column(name=name, kind="number") for name in ("amount", "local_hour")),
        *(Column(name=name, kind="category", role="key") for name in ("customer_id", "terminal_id")),
    )
)
DAYS = {"first_day": 2, "last_day": 3}
SPAN = Span(EPOCH_MS + 2 * DAY_MS, EPOCH_MS + 4 * DAY_MS)


def table(rows: int = 6_000) -> Rows:
    """Six days of payments."""
    rng = np.random.default_rng(1)
    time_ms = EPOCH_MS + np.sort(rng.integers(0, 6 * 86_400, rows)) * 1_000
    return assembled(
        {
            "id": [f"{i:06d}" for i in range(rows)],
            "time_ms": time_ms,
            "amount": np.where(rng.random(rows) < 0.02, np.nan, rng.gamma(2, 30, rows).round(2)),
            "local_hour": (time_ms // 3_600_000) % 24,
            "customer_id": [f"c{code:03d}" for code in rng.integers(0, 50, rows)],
            "terminal_id": [f"t{code:03d}" for code in rng.integers(0, 80, rows)],
            "label": rng.random(rows) < 0.05,
            "known_ms": time_ms + 7 * DAY_MS,
        },
        SCHEMA,
    )


KINDS: dict[str, tuple[Any, Any]] = {
    "scale": (scale, scale.Options(kind="scale", column="amount", factor=100, **DAYS)),
    "offset": (offset, offset.Options(kind="offset", column="local_hour", value=5, modulo=24, **DAYS)),
    "nulls": (nulls, nulls.Options(kind="nulls", column="terminal_id", share=0.3, **DAYS)),
    "unseen": (unseen_category, unseen_category.Options(kind="unseen_category", column="terminal_id", share=0.2, **DAYS)),
    "dead": (dead_column, dead_column.Options(kind="dead_column", column="amount", **DAYS)),
    "bursts": (bursts, bursts.Options(kind="bursts", key="terminal_id", other=("customer_id",), a_day=12, **DAYS)),
    "poison": (poison_labels, poison_labels.Options(kind="poison_labels", lost=0.4, invented=0.01, **DAYS)),
    "faster": (faster, faster.Options(kind="faster", factor=10, keys=("customer_id",), **DAYS)),
}


def done(name: str, rows: Rows, seed: int = 0) -> Rows:
    kind, options = KINDS[name]
    result = kind.inject(rows, options, SPAN, np.random.default_rng(seed))
    assert isinstance(result, pd.DataFrame)
    return check(result, SCHEMA)


def here(rows: Rows) -> "pd.Series[bool]":
    return (rows["time_ms"] >= SPAN.since_ms) & (rows["time_ms"] < SPAN.until_ms)


@pytest.mark.parametrize("name", KINDS)
def test_an_injection_is_pure_and_seeded_and_stays_in_its_span(name: str):
    rows = table()
    before = rows.copy(deep=True)
    changed = done(name, rows)
    assert_frame_equal(rows, before)
    assert_frame_equal(changed, done(name, rows))
    assert not changed.equals(rows)
    kept = changed[changed["id"].isin(rows["id"])].reset_index(drop=True)
    assert_frame_equal(kept[~here(kept)], rows[~here(rows)])
    # What is true and when it is known changes for nobody who was there before.
    assert_frame_equal(kept[["id", "time_ms", "label", "known_ms"]], rows[["id", "time_ms", "label", "known_ms"]])


def test_a_unit_changes_and_missing_values_stay_missing():
    rows, changed = table(), done("scale", table())
    assert changed["amount"][here(rows)].equals(rows["amount"][here(rows)] * 100)


def test_hours_move_around_the_clock():
    rows, changed = table(), done("offset", table())
    assert changed["local_hour"][here(rows)].equals((rows["local_hour"][here(rows)] + 5) % 24)


def test_a_share_comes_empty():
    changed = done("nulls", table())
    assert changed["terminal_id"][here(changed)].isna().mean() == pytest.approx(0.3, abs=0.03)
    assert changed["terminal_id"][here(changed)].isin([None]).sum() == changed["terminal_id"].isna().sum()


def test_numbers_come_empty_as_nan():
    options = nulls.Options(kind="nulls", column="amount", share=1, **DAYS)
    changed = check(nulls.inject(table(), options, SPAN, np.random.default_rng(0)), SCHEMA)
    assert changed["amount"][here(changed)].isna().all()


def test_an_unseen_category_is_new():
    changed = done("unseen", table())
    assert (changed["terminal_id"] == "unseen")[here(changed)].mean() == pytest.approx(0.2, abs=0.03)
    with pytest.raises(ValueError, match="isn't new"):
        done("unseen", changed)


def test_a_dead_column_says_zero():
    changed = done("dead", table())
    assert (changed["amount"][here(changed)] == 0).all()


def test_bursts_are_small_frauds_on_one_key_within_ten_minutes():
    rows, changed = table(), done("bursts", table())
    added = changed[~changed["id"].isin(rows["id"])]
    sizes = added.groupby(added["id"].str[:-3])
    assert len(sizes) == 2 * 12
    assert sizes.size().between(6, 12).all()
    assert (sizes["time_ms"].max() - sizes["time_ms"].min() < 600_000).all()
    assert (sizes["terminal_id"].nunique() == 1).all()
    assert sizes["customer_id"].nunique().max() > 1
    assert added["amount"].lt(60).all()
    assert (added[["label", "told"]] == 1).all(axis=None)
    assert ((added["known_ms"] - added["time_ms"]) == 7 * DAY_MS).all()
    assert (added["local_hour"] == (added["time_ms"] // 3_600_000) % 24).all()


def test_bursts_come_by_the_day():
    options = bursts.Options(kind="bursts", key="terminal_id", a_day=1, first_hour=3, **DAYS)
    with pytest.raises(ValueError, match="leave out first_hour"):
        bursts.inject(table(10), options, options.span(EPOCH_MS), np.random.default_rng(0))


def test_poison_changes_only_what_is_told():
    changed = done("poison", table(20_000))
    ones, zeros = (changed[here(changed) & (changed["label"] == value)] for value in (1, 0))
    assert (ones["told"] == 0).mean() == pytest.approx(0.4, abs=0.08)
    assert (zeros["told"] == 1).mean() == pytest.approx(0.01, abs=0.005)


def test_faster_brings_copies_with_keys_of_their_own():
    rows, changed = table(), done("faster", table())
    assert len(changed) == len(rows) + 9 * here(rows).sum()
    copies = changed[~changed["id"].isin(rows["id"])]
    assert not set(copies["customer_id"]) & set(rows["customer_id"])
    assert set(copies["terminal_id"]) <= set(rows["terminal_id"])
    assert ((copies["known_ms"] - copies["time_ms"]) == 7 * DAY_MS).all()


def test_a_column_that_is_not_there_is_named():
    options = scale.Options(kind="scale", column="price", factor=2, **DAYS)
    with pytest.raises(ValueError, match="no column 'price'; there are id"):
        scale.inject(table(10), options, SPAN, np.random.default_rng(0))


def test_hours_narrow_the_span():
    placed = Placed(first_day=2, last_day=2, first_hour=8, last_hour=13)
    span = placed.span(EPOCH_MS)
    assert (span.since_ms - EPOCH_MS, span.until_ms - span.since_ms) == (2 * DAY_MS + 8 * 3_600_000, 6 * 3_600_000)


def test_choices_are_drawn_by_seed_and_sets_are_not():
    options = bursts.Options(
        kind="bursts", key=("terminal_id", "customer_id"), other=("amount", "local_hour"), a_day=(3, 12), **DAYS
    )
    drawn = [resolved(options, np.random.default_rng(seed)) for seed in range(20)]
    assert {one.key for one in drawn} == {"terminal_id", "customer_id"}
    assert {one.a_day for one in drawn} == {3, 12}
    assert all(one.other == ("amount", "local_hour") for one in drawn)


def test_all_injections_in_order_by_seed():
    rows = table()
    chosen = (KINDS["bursts"][1], scale.Options(kind="scale", column="amount", factor=(100, 1_000), **DAYS))
    first, again = (inject_all(rows, chosen, SCHEMA, epoch_ms=EPOCH_MS, seed=3) for _ in range(2))
    assert_frame_equal(first.rows, again.rows)
    assert first.drawn[1].factor in (100, 1_000)
    added = first.rows[~first.rows["id"].isin(rows["id"])]
    # The bursts came first, so their amounts are scaled too.
    assert added["amount"].max() > 60
    other = inject_all(rows, chosen, SCHEMA, epoch_ms=EPOCH_MS, seed=4)
    assert not first.rows.equals(other.rows)
