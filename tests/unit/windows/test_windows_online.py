"""The online state by itself: what it forgets, what it refuses, and how it counts missing keys."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from streams.windows import keys, online
from streams.windows.facts import END_MS
from streams.windows.online import WindowState

HOUR = 3_600_000
SCHEMA = ModelSchema(
    columns=(
        Column(name="place", kind="category"),
        Column(name="size", kind="number"),
        Column(name="a", kind="category"),
        Column(name="b", kind="number"),
    )
)
COUNT = Window(aggregate="count", source="requests", by=("place",), range_ms=HOUR)
MEAN = Window(aggregate="mean", source="outcomes", column="label", by=("place",), range_ms=HOUR)
SUM = Window(aggregate="sum", source="requests", column="size", range_ms=2 * HOUR)


def test_bounds_are_closed_below_and_open_above():
    state = WindowState([COUNT], SCHEMA, 10)
    state.add_requests([0, 0, 1, 50], {"place": ["a"] * 4})
    rows = [10, 11, 12, 60, 61, HOUR + 10, HOUR + 11, HOUR + 12]
    assert state.values(rows, {"place": ["a"] * len(rows)})[COUNT.name] == [0, 2, 3, 3, 4, 4, 2, 1]


def test_missing_and_unknown_keys_differ():
    state = WindowState([COUNT, MEAN, SUM], SCHEMA, 0)
    state.add_requests([5, 5, 5], {"place": ["a", None, "a"], "size": [1.0, 2.0, None]})
    state.add_outcomes([6, 6], {"place": ["a", None]}, [1.0, 0.0])
    found = state.values([10, 10, 10], {"place": ["a", "b", None]})
    assert found == {COUNT.name: [2, 0, None], MEAN.name: [1.0, None, None], SUM.name: [3.0, 3.0, 3.0]}
    assert list(found) == [spec.name for spec in state.specs]


def test_a_number_and_its_array_are_one_key():
    spec = Window(aggregate="count", source="requests", by=("size",), range_ms=10)
    state = WindowState([spec], SCHEMA, 0)
    state.add_requests(np.array([1, 2, 3]), {"size": np.array([0.0, -0.0, np.nan])})
    assert state.values([5, 5, 5], {"size": [0.0, float("nan"), None]})[spec.name] == [2, None, None]


def test_specs_of_one_kind_share_their_facts():
    other = Window(aggregate="count", source="requests", by=("place",), range_ms=9 * HOUR, delay_ms=3)
    state = WindowState([COUNT, other, COUNT], SCHEMA, 0)
    state.add_requests([1], {"place": ["a"]})
    assert len(state.specs) == 2
    assert len(state) == 1


def test_memory_is_flat_and_eviction_changes_no_value():
    kept = WindowState([COUNT, MEAN, SUM], SCHEMA, 0)
    evicting = WindowState([COUNT, MEAN, SUM], SCHEMA, 0)
    rng = np.random.default_rng(3)
    most_facts = most_keys = 0
    for step in range(300):
        times = (step * 600_000 + rng.integers(0, 600_000, 20)).tolist()
        columns = {"place": [f"{step // 10}-{i % 5}" for i in range(20)], "size": rng.normal(size=20).tolist()}
        for state in (kept, evicting):
            state.add_requests(times, columns)
            state.add_outcomes(times, columns, columns["size"])
        reads = ([step * 600_000 + 600_000] * 20, columns)
        for name, values in kept.arrays(*reads).items():
            np.testing.assert_allclose(evicting.arrays(*reads)[name], values, rtol=1e-12, atol=1e-12)
        evicting.evict(step * 600_000)
        most_facts = max(most_facts, len(evicting))
        most_keys = max(most_keys, len(evicting._keys["place",]))
    assert len(kept) == 300 * 20 * 3
    assert most_facts <= 20 * (2 * 9 + 16)  # what can be read, plus an eighth, plus the newest step
    assert most_keys <= 20
    assert evicting._keys["place",].highest <= 20


def test_what_is_left_to_others_changes_no_value():
    spread = Window(aggregate="std", source="requests", column="size", by=("place",), range_ms=HOUR)
    newest = Window(aggregate="since", source="requests", by=("place",), range_ms=HOUR)
    specs = [COUNT, MEAN, SUM, spread, newest]
    plain, deferring = WindowState(specs, SCHEMA, 0), WindowState(specs, SCHEMA, 0)
    deferring.defer(60)
    rng, waiting, merged, swept = np.random.default_rng(4), [], 0, 0
    for step in range(400):
        times = (step * 30_000 + rng.integers(0, 600_000, 12)).tolist()
        columns = {"place": rng.choice(["a", "b", "c", None], 12).tolist(), "size": rng.normal(1e3, 1, size=12).tolist()}
        for state in (plain, deferring):
            state.add_requests(times, columns)
            state.add_outcomes(times, columns, columns["size"])
        # As a thread would: begun on what is there, and done after more has come, or after it was swept out.
        if rng.random() < 0.3 and (upkeep := deferring.due()) is not None:
            upkeep.make()
            waiting.append(upkeep)
        for name, values in plain.arrays([step * 30_000] * 12, columns).items():
            np.testing.assert_allclose(deferring.arrays([step * 30_000] * 12, columns)[name], values, rtol=1e-9)
        for state in (plain, deferring):
            state.evict(step * 30_000 - HOUR)
        for store in deferring._stores:
            assert len(store.runs.settled()) <= 2 * len(store.runs) / 60 + 4, "what is small is merged at once"
        while waiting and rng.random() < 0.5:
            before = [(run, len(run)) for store in deferring._stores for run in store.runs.settled()]
            waiting.pop(0).settle()
            after = [(run, len(run)) for store in deferring._stores for run in store.runs.settled()]
            merged += len(after) < len(before) and len(deferring) == sum(length for _, length in before)
            swept += len(deferring) < sum(length for _, length in before)
    assert merged > 30
    assert swept > 5
    while (upkeep := deferring.due()) is not None:
        upkeep.make()
        upkeep.settle()
    assert all(len(store.runs.settled()) <= 4 for store in deferring._stores)
    assert len(deferring) == len(plain)


def test_facts_too_old_or_outside_of_time_are_not_kept():
    state = WindowState([COUNT], SCHEMA, 0)
    state.evict(10 * HOUR)
    state.add_requests([9 * HOUR - 1, 9 * HOUR, -1, END_MS, 2**62], {"place": ["a"] * 5})
    assert len(state) == 1
    assert state.values([-(2**62), 0, 2**62], {"place": ["a"] * 3})[COUNT.name] == [0, 0, 0]


def test_a_huge_range_means_everything_before():
    spec = Window(aggregate="count", source="requests", range_ms=2**70)
    state = WindowState([spec], SCHEMA, 0)
    state.add_requests([0, 5], {})
    assert state.values([0, 1, 6], {})[spec.name] == [0, 1, 2]


def test_no_facts_and_no_rows():
    state = WindowState([COUNT, MEAN], SCHEMA, 0)
    assert state.values([], {"place": []}) == {COUNT.name: [], MEAN.name: []}
    assert state.values([1], {"place": ["a"]}) == {COUNT.name: [0], MEAN.name: [None]}
    state.add_requests([], {"place": []})
    state.evict(5)
    assert len(WindowState([], SCHEMA, 0)) == 0
    assert WindowState([], SCHEMA, 0).values([1], {}) == {}


def test_refusals(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ContractError, match="skew"):
        WindowState([COUNT], SCHEMA, -1)
    state = WindowState([COUNT], SCHEMA, 0)
    with pytest.raises(ContractError, match="2 rows"):
        state.values([1, 2], {"place": ["a"]})
    monkeypatch.setattr(keys, "MOST_KEYS", 2)
    with pytest.raises(ContractError, match="more than 2 keys"):
        state.add_requests([1, 1, 1], {"place": ["a", "b", "c"]})


def test_what_no_filter_lets_pass_takes_no_key():
    large = msgspec.structs.replace(COUNT, where="size > 10")
    state = WindowState([large], SCHEMA, 0)
    state.add_requests([1, 2, 3], {"place": ["a", "b", "c"], "size": [1.0, 11.0, float("nan")]})
    assert len(state._keys["place",]) == 1
    assert state.values([5, 5], {"place": ["a", "b"]})[large.name] == [0, 1]


def test_many_windows_over_many_rows_are_read_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(online, "_RANGES_AT_ONCE", 5)
    specs = [msgspec.structs.replace(COUNT, range_ms=size) for size in (1, 2, 3, 4)]
    state = WindowState(specs, SCHEMA, 0)
    state.add_requests([1, 2, 3], {"place": ["a"] * 3})
    assert [state.values([4, 9], {"place": ["a", "a"]})[spec.name] for spec in specs] == [[1, 0], [2, 0], [3, 0], [3, 0]]
