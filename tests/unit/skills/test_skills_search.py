from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills._kit.errors import NoDataError
from skills._kit.frames import floats, integers, with_columns
from skills._kit.grammar import MOST_CANDIDATES, candidates, groupings
from skills._kit.screening import binned, gains, moved, residuals
from skills._kit.search import Found, Question, search
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema, SourceSchema, Task
from tests.kit.shops import BURSTS, DAY_MS, HOUR_MS, SCHEMA, Orders, orders, renamed


@dataclass
class Stopwatch:
    """A clock that moves by a step each time it is read."""

    step: float = 0.0
    time: float = 0.0

    def now(self):
        raise AssertionError("the search has no business with the date")

    def monotonic(self):
        self.time += self.step
        return self.time


def found_in(given: Orders, seed: int = 0, clock: Stopwatch | None = None, known: tuple[Window, ...] = ()) -> Found:
    rate = given.table.num_rows / (20 * DAY_MS)
    return search(Question(given.table, known, given.facts, rate, seed, 60), clock or Stopwatch())


AVERAGES = Window(aggregate="mean", source="requests", column="amount", by=("shop",), range_ms=8 * HOUR_MS)


@pytest.mark.parametrize("planted", [BURSTS, AVERAGES], ids=["count", "mean"])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_planted_window_is_found(planted: Window, task: Task):
    found = found_in(orders(4_000, 1, planted=planted, task=task))
    best = found.accepted[0]
    window = best.candidate.window
    assert (window.aggregate, window.source, window.column, window.by) == (
        planted.aggregate,
        planted.source,
        planted.column,
        planted.by,
    )
    assert 0.5 <= window.range_ms / planted.range_ms <= 2
    assert best.gain.value > 0
    assert best.gain.low > 0
    assert best.gain.p_value < 0.05
    assert found.tried > 100


def test_a_value_is_also_seen_beside_those_before_it():
    """A price that wanders over days; what counts is whether it lies above its own mean of the last day."""
    given, rng = orders(4_000, 1), np.random.default_rng(3)
    times = integers(given.table, "time_ms")
    price = 50 + 20 * np.sin(times / (1.7 * DAY_MS)) + 15 * np.sin(times / (0.9 * DAY_MS)) + rng.normal(size=len(times)) * 4
    own = Window(aggregate="ratio", source="requests", column="weight", by=(), range_ms=DAY_MS)
    table = with_columns(given.table.drop_columns(["weight", "label"]), ["weight"], [price])
    beside = Orders(given.schema, table.append_column("label", pa.array(np.zeros(len(times))))).facts.columns([own], table)[:, 0]
    label = np.where(rng.random(len(times)) < 0.1, rng.random(len(times)) < 0.5, beside > 1)
    best = found_in(Orders(given.schema, with_columns(table, ["label"], [label.astype(np.float64)]))).accepted[0].candidate.window
    assert (best.aggregate, best.column, best.by) == ("ratio", "weight", ())
    assert 0.3 <= best.range_ms / own.range_ms <= 3


def test_what_is_new_is_found_in_the_rows_since_although_labels_take_as_long():
    """Rows of before know nothing of the planted window, and labels come four days later, a fifth of all time."""
    given = orders(8_000, 1, planted=BURSTS)
    times, labels = integers(given.table, "time_ms"), floats(given.table, "label").copy()
    since_ms = int(np.quantile(times, 0.6))
    before = np.flatnonzero(times < since_ms)
    labels[before] = labels[np.random.default_rng(0).permutation(before)]
    table = with_columns(given.table.drop_columns(["label", "known_ms"]), ["label", "known_ms"], [labels, times + 4 * DAY_MS])
    table = table.set_column(table.column_names.index("known_ms"), "known_ms", pa.array(times + 4 * DAY_MS))
    rate = table.num_rows / (20 * DAY_MS)
    found = search(Question(table, (), given.facts, rate, 0, 60, since_ms), Stopwatch())
    assert [one.candidate.window.by for one in found.accepted[:1]] == [BURSTS.by]
    assert found.accepted[0].candidate.window.aggregate == "count"
    unaware = search(Question(table, (), given.facts, rate, 0, 60), Stopwatch())
    assert [one.candidate.window for one in unaware.accepted if one.candidate.window.aggregate == "count"] == []


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_accepted_on_noise_that_is_new(seed: int):
    given = orders(4_000, 100 + seed)
    since_ms = int(np.quantile(integers(given.table, "time_ms"), 0.5))
    rate = given.table.num_rows / (20 * DAY_MS)
    assert search(Question(given.table, (), given.facts, rate, seed, 60, since_ms), Stopwatch()).accepted == []


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_accepted_on_noise(seed: int):
    found = found_in(orders(4_000, 100 + seed), seed)
    assert found.accepted == []
    assert all(one.reason for one in found.rejected)


def test_names_and_order_of_columns_change_nothing():
    given = orders(4_000, 1, planted=BURSTS)
    other, old_names = renamed(given)
    first, second = found_in(given), found_in(other)
    as_before = [
        (
            one.window.aggregate,
            one.window.source,
            old_names.get(one.window.column or ""),
            tuple(old_names[key] for key in one.window.by),
            one.window.range_ms,
        )
        for one in (accepted.candidate for accepted in second.accepted)
    ]
    expected = [
        (one.window.aggregate, one.window.source, one.window.column, one.window.by, one.window.range_ms)
        for one in (accepted.candidate for accepted in first.accepted)
    ]
    assert as_before == expected
    assert [one.gain for one in first.accepted] == [one.gain for one in second.accepted]


def test_the_same_seed_finds_the_same():
    given = orders(3_000, 5, planted=BURSTS)
    assert found_in(given, 3) == found_in(given, 3)


def test_a_window_that_the_model_has_isn_t_proposed_again():
    given = orders(4_000, 1, planted=BURSTS)
    values = given.facts.columns([BURSTS], given.table)[:, 0]
    with_it = given._replace(table=given.table.append_column(BURSTS.name, [values]))
    found = found_in(with_it, known=(BURSTS,))
    assert BURSTS not in [one.candidate.window for one in found.accepted]


def test_a_search_without_time_says_so():
    given = orders(4_000, 1, planted=BURSTS)
    found = found_in(given, clock=Stopwatch(step=1_000.0))
    assert found.accepted == []
    assert any("time" in one.reason for one in found.rejected)


def test_too_few_rows_are_refused():
    given = orders(4_000, 1)
    with pytest.raises(NoDataError, match="too few"):
        found_in(given._replace(table=given.table.slice(0, 100)))


@pytest.mark.parametrize(
    ("changes", "further"),
    [({}, set()), ({"protect": "keep"}, set()), ({"protect": "hash"}, {"email"}), ({"granted": True}, {"email"})],
)
def test_a_tagged_column_groups_when_it_is_hashed_or_granted(changes: dict[str, Any], further: set[str]):
    tagged = Column(name="email", kind="category", tags=("pii",), **changes)
    schema = ModelSchema(columns=(*(column for column in SCHEMA.columns if column.name != "email"), tagged))
    keys = groupings(schema, orders(2_000, 1).table)
    assert {key for grouping in keys for key in grouping.by} == {"shop", "colour", "buyer", *further}
    assert keys[0].by == ()


def test_ranges_fit_the_span_of_the_data_and_the_skew():
    given = orders(2_000, 1)
    ranges = {one.window.range_ms for one in candidates(SCHEMA, given.table, 1e-6, 2 * HOUR_MS)}
    assert min(ranges) == 2 * HOUR_MS
    assert max(ranges) == DAY_MS


def test_windows_of_outcomes_wait_a_part_of_their_range_and_others_do_not():
    spelled = [one.window for one in candidates(SCHEMA, orders(2_000, 1).table, 1e-6, 0)]
    waits = {(one.source, one.range_ms, one.delay_ms) for one in spelled}
    assert ("outcomes", DAY_MS, HOUR_MS) in waits
    assert all(delay_ms == (range_ms // 24 if source == "outcomes" else 0) for source, range_ms, delay_ms in waits)


def test_a_source_of_many_columns_leaves_room_for_others():
    given, names = orders(2_000, 1), [f"n{number}" for number in range(400)]
    source = SourceSchema(name="wide", columns=tuple(Column(name=name, kind="number") for name in names))
    schema = msgspec.structs.replace(SCHEMA, sources=(source,))
    records = pa.table({"time_ms": [0, DAY_MS], **{name: [0.0, 1.0] for name in names}})
    own = {one.window.name for one in candidates(SCHEMA, given.table, 1e-6, 0)}
    spelled = candidates(schema, given.table, 1e-6, 0, {"wide": records})
    assert len(spelled) == MOST_CANDIDATES
    assert own < {one.window.name for one in spelled}


def test_more_facts_cost_more_state():
    spelled = candidates(SCHEMA, orders(2_000, 1).table, 1e-3, 0)
    a_key = [
        one
        for one in spelled
        if one.window.by == ("shop",) and one.window.aggregate == "count" and one.window.source == "requests"
    ]
    costs = [one.state_bytes for one in sorted(a_key, key=lambda one: one.window.range_ms)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]


def test_screening_ranks_a_signal_above_noise_and_moved_signal():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=6_000).astype(np.float32), rng.normal(size=6_000).astype(np.float32)
    labels = (rng.random(6_000) < 1 / (1 + np.exp(-signal))).astype(float)
    values = np.stack([signal, noise, signal[moved(6_000, rng)]], axis=1)
    found = gains(values, residuals("binary", labels, np.zeros(6_000), np.ones(6_000)), np.arange(6_000) * 8 // 6_000)
    assert found[0] > 0.05
    assert max(found[1:]) < 0.005


def test_missing_values_have_a_bin_of_their_own():
    column = np.array([1, 2, np.nan, 3], dtype=np.float32)
    bins, number = binned(column, np.ones(4, dtype=bool))
    assert bins[2] == 0
    assert min(bins[[0, 1, 3]]) > 0
    assert number > max(bins)


def test_moving_keeps_every_row_once():
    order = moved(1_000, np.random.default_rng(0))
    assert sorted(order) == list(range(1_000))
    assert not np.array_equal(order, np.arange(1_000))
