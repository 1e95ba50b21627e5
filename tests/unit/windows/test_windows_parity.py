"""The windows' one promise: online, offline and in SQL the same numbers, and they are the numbers of the definition."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from streams.lake.query import run
from streams.windows.facts import LARGEST_VALUE
from streams.windows.offline import window_values
from streams.windows.online import WindowState
from streams.windows.sql import compile_windows

SCHEMA = ModelSchema(
    columns=(
        Column(name="place", kind="category"),
        Column(name="order", kind="category", role="key"),
        Column(name="size", kind="number"),
        Column(name="select", kind="number"),
    )
)
TYPES = {"place": pa.string(), "order": pa.string(), "size": pa.float64(), "select": pa.float64()}
Row = dict[str, Any]
END_MS = 60  # short streams over few times, so that ties are the rule

keys = st.sampled_from(["a", "b", "", "A", "é\0x", None])
numeric = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.25, math.nan, math.inf, 1e30, 1e31, -1e300, 1e-12]),
    st.floats(-1e6, 1e6, allow_nan=False),
)
windows = st.builds(
    lambda aggregate, source, column, by, span, delay: Window(
        aggregate=aggregate,
        source=source,
        column=None if aggregate == "count" else ("label" if column == "label" and source == "outcomes" else "size"),
        by=tuple(by),
        range_ms=span,
        delay_ms=delay,
    ),
    st.sampled_from(["count", "sum", "mean"]),
    st.sampled_from(["requests", "outcomes"]),
    st.sampled_from(["label", "size"]),
    st.lists(st.sampled_from(list(TYPES)), max_size=2, unique=True),
    st.sampled_from([1, 2, 7, 30, 1_000]),
    st.sampled_from([0, 0, 1, 9]),
)
rows = st.fixed_dictionaries(
    {
        "time": st.integers(0, END_MS),
        "known": st.integers(0, 40),
        "label": numeric,
        "place": keys,
        "order": keys,
        "size": numeric,
        "select": numeric,
    }
)


@dataclass
class Covered:
    """What the generator made, so that a parity test over too little fails."""

    seen: Counter[str] = field(default_factory=Counter)

    def note(self, specs: list[Window], stream: list[Row], partitions: int) -> None:
        for spec in specs:
            self.seen[f"{spec.aggregate} of {spec.source} by {len(spec.by)} keys"] += 1
            self.seen["delay"] += spec.delay_ms > 0
            self.seen["null key"] += any(row[key] is None for key in spec.by for row in stream)
            self.seen["number as key"] += "size" in spec.by or "select" in spec.by
        times = [row["time"] for row in stream]
        self.seen["tie"] += len(set(times)) < len(times)
        self.seen["missing value"] += any(row["size"] is None for row in stream)
        self.seen["huge value"] += any(row["size"] is not None and abs(row["size"]) > LARGEST_VALUE for row in stream)
        self.seen[f"{partitions} partitions"] += 1


EXPECTED = {f"{a} of {s} by {n} keys" for a in ("count", "sum", "mean") for s in ("requests", "outcomes") for n in (0, 1, 2)} | {
    "delay", "null key", "number as key", "tie", "missing value", "huge value", "1 partitions", "4 partitions",
}  # fmt: skip
covered = Covered()


@pytest.mark.timeout(120)
def test_online_offline_sql_and_definition_agree():
    check()
    assert set(covered.seen) >= EXPECTED
    assert {name: count for name, count in covered.seen.items() if count < 5} == {}


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    specs=st.lists(windows, min_size=1, max_size=5),
    stream=st.lists(rows, min_size=1, max_size=40),
    skew=st.sampled_from([0, 3, 20]),
    data=st.data(),
)
def check(specs: list[Window], stream: list[Row], skew: int, data: Any) -> None:
    partitions = data.draw(st.sampled_from([1, 4]))
    covered.note(specs, stream, partitions)
    online = replay_online(specs, stream, skew, partitions, data)
    offline = offline_of(specs, skew, tables(stream))
    sql = run(compile_windows(specs, SCHEMA, skew), tables(stream)).to_pydict()
    assert sql.pop("row") == list(range(len(stream)))
    assert set(online) == set(offline) == set(sql) == {spec.name for spec in specs}
    for spec in specs:
        for i, row in enumerate(stream):
            expected, size = by_definition(spec, stream, row, skew)
            answers = [one[spec.name][i] for one in (online, offline, sql)]
            for found in answers:
                assert agree(found, expected, size), (spec.text, row, found, expected)
            for one, other in itertools.combinations(answers, 2):
                assert agree(one, other, size)


def replay_online(specs: list[Window], stream: list[Row], skew: int, partitions: int, data: Any) -> dict[str, list[float | None]]:
    """Read every row in micro-batches of the merged stream, after random batches of what came before it, in random order.

    A fact may arrive any time before the first row that it is visible to is read: skew early to just in time.
    """
    state = WindowState(specs, skew)
    events = [(row["time"], kind, i) for i, row in enumerate(stream) for kind in ("request", "read")]
    events += [(row["time"] + row["known"], "outcome", i) for i, row in enumerate(stream)]
    by_partition = [[event for event in events if event[2] % partitions == p] for p in range(partitions)]
    found: dict[str, list] = {spec.name: [None] * len(stream) for spec in specs}
    order = sorted({time for time, _, _ in events})
    while order:
        size = data.draw(st.integers(1, len(order)))
        batch, order = set(order[:size]), order[size:]
        parts = [[e for e in part if e[0] in batch] for part in data.draw(st.permutations(by_partition))]
        facts = [e for part in parts for e in data.draw(st.permutations(part)) if e[1] != "read"]
        while facts:
            cut = data.draw(st.integers(1, len(facts)))
            for kind in data.draw(st.permutations(["request", "outcome"])):
                feed(state, kind, [stream[i] for _, k, i in facts[:cut] if k == kind])
            facts = facts[cut:]
        reads = [i for part in parts for _, kind, i in part if kind == "read"]
        if reads:
            values = state.values([stream[i]["time"] for i in reads], columns([stream[i] for i in reads]))
            for name, column in values.items():
                for i, value in zip(reads, column, strict=True):
                    found[name][i] = value
        if order:
            state.evict(order[0])
    return found


def offline_of(specs: list[Window], skew: int, given: dict[str, pa.Table]) -> dict[str, list[float | None]]:
    facts = {"requests": given["requests"], "outcomes": given["outcomes"]}
    found = {spec.name: values.tolist() for spec, values in window_values(specs, SCHEMA, skew, given["rows"], facts)}
    return {name: [None if math.isnan(value) else value for value in values] for name, values in found.items()}


def feed(state: WindowState, kind: str, some: list[Row]) -> None:
    if kind == "request":
        state.add_requests([row["time"] for row in some], columns(some))
    else:
        state.add_outcomes([row["time"] + row["known"] for row in some], columns(some), [row["label"] for row in some])


def columns(some: list[Row]) -> Row:
    return {name: [row[name] for row in some] for name in TYPES}


def tables(stream: list[Row]) -> dict[str, pa.Table]:
    data = {name: pa.array([row[name] for row in stream], kind) for name, kind in TYPES.items()}
    times = pa.array([row["time"] for row in stream], pa.int64())
    known = pa.array([row["time"] + row["known"] for row in stream], pa.int64())
    label = pa.array([row["label"] for row in stream], pa.float64())
    row = pa.array(range(len(stream)), pa.int64())
    return {
        "rows": pa.table({"row": row, "time_ms": times, **data}),
        "requests": pa.table({"time_ms": times, **data}),
        "outcomes": pa.table({"known_ms": known, **data, "label": label}),
    }


def by_definition(spec: Window, stream: list[Row], row: Row, skew: int) -> tuple[float | None, float]:
    """Return the value by the words of `Window`, and the sum of magnitudes that it was made of."""
    upper = row["time"] - spec.delay_ms - skew
    if any(missing(row[key]) for key in spec.by):
        return None, 0.0
    facts = [
        fact
        for fact in stream
        if upper - spec.range_ms <= fact["time"] + (fact["known"] if spec.source == "outcomes" else 0) < upper
        and not any(missing(fact[key]) for key in spec.by)
        and all(fact[key] == row[key] for key in spec.by)
    ]
    if spec.aggregate == "count":
        return float(len(facts)), 0.0
    values = [v for fact in facts if (v := fact[spec.column]) is not None and abs(v) <= LARGEST_VALUE]
    total, size = math.fsum(values), math.fsum(map(abs, values))
    if spec.aggregate == "sum":
        return total, size
    return (total / len(values), size) if values else (None, 0.0)


def missing(key: object) -> bool:
    return key is None or (isinstance(key, float) and not math.isfinite(key))


def agree(one: float | None, other: float | None, size: float) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-14 * size + 1e-28)


def test_a_year_of_facts_agrees():
    rng = np.random.default_rng(7)
    day, count = 86_400_000, 5_000
    specs = [
        Window(aggregate="sum", source="requests", column="size", by=("place",), range_ms=day),
        Window(aggregate="mean", source="outcomes", column="label", by=(), range_ms=90 * day, delay_ms=day),
        Window(aggregate="count", source="outcomes", by=("place", "order"), range_ms=7 * day),
    ]
    times = np.sort(rng.integers(0, 365 * day, count))
    known = times + rng.integers(0, 5 * day, count)
    data = {
        "place": rng.choice(["a", "b", "c"], count).tolist(),
        "order": rng.choice(["x", "y"], count).tolist(),
        "size": (rng.lognormal(0, 8, count) * rng.choice([-1, 1], count)).tolist(),
        "select": rng.normal(size=count).tolist(),
    }
    label = rng.normal(size=count).tolist()
    state = WindowState(specs, 60_000)
    shuffled = rng.permutation(count)
    for chunk in np.array_split(shuffled, 13):
        some = {name: [values[i] for i in chunk] for name, values in data.items()}
        state.add_requests(times[chunk].tolist(), some)
        state.add_outcomes(known[chunk].tolist(), some, [label[i] for i in chunk])
    online = state.arrays(times.tolist(), data)
    given = {
        "rows": pa.table({"row": np.arange(count), "time_ms": times, **data}),
        "requests": pa.table({"time_ms": times, **data}),
        "outcomes": pa.table({"known_ms": known, **data, "label": label}),
    }
    sql = run(compile_windows(specs, SCHEMA, 60_000), given)
    offline = offline_of(specs, 60_000, given)
    for spec in specs:
        expected = sql.column(spec.name).to_numpy()
        assert np.nanmax(np.abs(expected)) > 0
        np.testing.assert_allclose(online[spec.name], expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(np.array(offline[spec.name], float), expected, rtol=1e-9, atol=1e-9)
