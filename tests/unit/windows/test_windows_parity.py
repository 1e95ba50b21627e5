"""The windows' one promise: online, offline and in SQL the same numbers, and they are the numbers of the definition."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from streams.contracts.features import Window
from streams.lake.query import run
from streams.windows.offline import window_values
from streams.windows.online import WindowState
from streams.windows.sql import compile_windows
from tests.kit.window_cases import SCHEMA, Covered, Reader, everything, read_online, streams, tables, windows, windows_like
from tests.kit.window_meaning import agree, by_definition

NAMES = {"requests": "requests", "outcomes": "outcomes", "rows": "source_rows"}
WINDOWS = 4  # drawn for each stream, beside the one whose turn it is; as many cases


@pytest.mark.timeout(300)
def test_online_offline_sql_and_definition_agree_in_1000_cases(tmp_path: Path):
    covered = prove(216, tmp_path)
    assert covered.seen["cases"] >= 1_000
    assert covered.lacks(3) == {}


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_online_offline_sql_and_definition_agree_in_10000_cases(tmp_path: Path):
    covered = prove(2_016, tmp_path)
    print(dict(sorted(covered.seen.items())))  # noqa: T201 - what was covered is part of the proof
    assert covered.seen["cases"] >= 10_000
    assert covered.lacks(30) == {}


def prove(examples: int, folder: Path) -> Covered:
    """Compare everything on so many random streams, an equal share for each aggregate of each source; return what they had."""
    covered, parts = Covered(), everything()

    @settings(max_examples=examples // len(parts), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def compare(part: tuple[str, str, int], data: st.DataObject) -> None:
        others = data.draw(st.lists(windows, min_size=WINDOWS, max_size=WINDOWS, unique=True))
        specs = list(dict.fromkeys([data.draw(windows_like(*part)), *others]))
        skew_ms, partitions = data.draw(st.sampled_from([0, 3, 20])), data.draw(st.sampled_from([1, 4]))
        stream = data.draw(streams(skew_ms))
        covered.note(specs, stream, partitions)
        online = read_online(Reader(specs, skew_ms, folder, covered), stream, partitions, data.draw)
        given_tables = tables(stream)
        offline = offline_of(specs, skew_ms, given_tables)
        sql = run(compile_windows(specs, SCHEMA, skew_ms), given_tables).to_pydict()
        assert sql.pop("row") == list(range(len(stream)))
        assert set(online) == set(offline) == set(sql) == {spec.name for spec in specs}
        for spec in specs:
            for place, row in enumerate(stream):
                expected = by_definition(spec, stream, row, skew_ms)
                sides = (online, offline) if expected.is_cancelled else (online, offline, sql)
                answers = [one[spec.name][place] for one in sides]
                for found in answers:
                    assert agree(found, expected.value, expected.size), (spec.text, row, answers, expected)
                for one, other in itertools.combinations(answers, 2):
                    assert agree(one, other, expected.size), (spec.text, row, answers)

    for part in parts:
        compare(part)
    return covered


def offline_of(specs: list[Window], skew_ms: int, given: dict[str, pa.Table]) -> dict[str, list[float | None]]:
    facts = {source: given[name] for source, name in NAMES.items() if name in given}
    found = {spec.name: values.tolist() for spec, values in window_values(specs, SCHEMA, skew_ms, given["rows"], facts)}
    return {name: [None if math.isnan(value) else value for value in values] for name, values in found.items()}


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
    state = WindowState(specs, SCHEMA, 60_000)
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
