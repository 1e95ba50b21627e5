"""Whole recorded streams: for every row, state, columns and SQL give the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from streams.lake.query import run
from streams.windows.offline import window_values
from streams.windows.online import WindowState
from streams.windows.sql import compile_windows
from tests.kit import recorded
from tests.kit.recorded import Recorded

ROWS = 20_000


@pytest.mark.full
@pytest.mark.shared
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("load", [recorded.fraud, recorded.flights, recorded.hotel])
def test_a_whole_recorded_stream_agrees(load: Callable[[], Recorded]):
    if not recorded.DATA.exists():
        pytest.skip(f"no {recorded.DATA.name} folder beside the checkout")
    stream = load()
    offline = {
        window.name: values for window, values in window_values(stream.windows, stream.schema, 0, stream.requests, stream.facts)
    }
    online = read_online(stream)
    for window in stream.windows:
        assert np.isfinite(offline[window.name]).any(), window.text
        agree(online[window.name], offline[window.name], window.text)
    numbered = stream.requests.append_column("row", pa.array(np.arange(stream.requests.num_rows)))
    for window in stream.windows:
        sql = run(compile_windows([window], stream.schema, 0), {"rows": numbered, **stream.facts}, threads=2, memory_mb=8_192)
        agree(sql.column(window.name).to_numpy(), offline[window.name], window.text)


def read_online(stream: Recorded) -> dict[str, np.ndarray]:
    """Read every row from the state, in batches: facts of a batch first, which a row sees as far as they lie before it."""
    state = WindowState(stream.windows, stream.schema, 0)
    requests, outcomes = stream.requests, stream.outcomes
    times, known = requests.column("time_ms").to_numpy(), outcomes.column("known_ms").to_numpy()
    found: dict[str, list[np.ndarray]] = {window.name: [] for window in stream.windows}
    told = 0
    for begin in range(0, len(times), ROWS):
        some = requests.slice(begin, ROWS)
        end_ms = int(times[min(begin + ROWS, len(times)) - 1])
        upto = int(np.searchsorted(known, end_ms))
        labelled = outcomes.slice(told, upto - told)
        state.add_requests(some.column("time_ms").to_numpy(), columns(some))
        state.add_outcomes(labelled.column("known_ms").to_numpy(), columns(labelled), labelled.column("label").to_numpy())
        told = upto
        for name, values in state.arrays(some.column("time_ms").to_numpy(), columns(some)).items():
            found[name].append(values)
        state.evict(end_ms)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def columns(table: pa.Table) -> dict[str, object]:
    return {
        name: table.column(name).to_numpy() if pa.types.is_floating(table.column(name).type) else table.column(name).to_pylist()
        for name in table.column_names
    }


def agree(found: np.ndarray, expected: np.ndarray, text: str) -> None:
    assert np.array_equal(np.isnan(found), np.isnan(expected)), text
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, err_msg=text)
