"""Window state in a file: the same state to the last bit, and refused where it can't be."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from streams.contracts.errors import SnapshotError
from streams.contracts.features import Aggregate, Window
from streams.contracts.schema import Column, ModelSchema
from streams.windows.online import WindowState
from streams.windows.snapshots import identity, read, write

SCHEMA = ModelSchema(columns=(Column(name="place", kind="category"), Column(name="size", kind="number")))
SKEW_MS = 5
SPECS = [
    Window(
        aggregate=aggregate,
        source=source,
        column=None if aggregate in {"count", "since"} else "size",
        by=by,
        range_ms=range_ms,
        where="size < 2" if range_ms == 3_000 else None,
    )
    for aggregate in get_args(Aggregate)
    for source in ("requests", "outcomes")
    for by in ((), ("place",), ("place", "size"))
    for range_ms in (1_000, 3_000)
]


def feed(state: WindowState, step: int) -> dict[str, np.ndarray]:
    """Give a state a batch, let it forget, and read."""
    rng = np.random.default_rng(step)
    rows = int(rng.integers(1, 200))
    times = step * 100 + rng.integers(0, 100, rows)
    columns = {"place": rng.choice(["a", "b", "é", None], rows).tolist(), "size": rng.choice([0.1, 1.7, 3e9, np.nan], rows)}
    state.add_requests(times, columns)
    state.add_outcomes(times + 3, columns, rng.normal(size=rows))
    state.evict(step * 100)
    return state.arrays(times + 100, columns)


def written(path: Path, state: WindowState, note: bytes = b"") -> None:
    write(path, state.image(), identity(SPECS, SCHEMA, SKEW_MS), note)


def test_a_restored_state_gives_the_same_values_to_the_last_bit(tmp_path: Path):
    path = tmp_path / "deep" / "state"
    state = WindowState(SPECS, SCHEMA, SKEW_MS)
    for step in range(40):
        feed(state, step)
    written(path, state, b"so far")
    restored, note = read(path, SPECS, SCHEMA, SKEW_MS)
    assert path.stat().st_mode & 0o077 == 0, "keys are values of rows"
    assert note == b"so far"
    assert len(restored) == len(state)
    for step in range(40, 80):
        expected, found = feed(state, step), feed(restored, step)
        for name, values in expected.items():
            assert values.tobytes() == found[name].tobytes(), name


def test_an_image_stays_what_it_was(tmp_path: Path):
    state = WindowState(SPECS, SCHEMA, SKEW_MS)
    feed(state, 0)
    image, facts = state.image(), len(state)
    feed(state, 1)
    write(tmp_path / "state", image, identity(SPECS, SCHEMA, SKEW_MS), b"")
    assert len(read(tmp_path / "state", SPECS, SCHEMA, SKEW_MS)[0]) == facts < len(state)


def test_an_empty_state_is_one_too(tmp_path: Path):
    written(tmp_path / "state", WindowState(SPECS, SCHEMA, SKEW_MS))
    assert len(read(tmp_path / "state", SPECS, SCHEMA, SKEW_MS)[0]) == 0


def test_what_is_of_something_else_is_refused(tmp_path: Path):
    path = tmp_path / "state"
    written(path, WindowState(SPECS, SCHEMA, SKEW_MS))
    other = ModelSchema(
        columns=(Column(name="place", kind="category"), Column(name="size", kind="number"), Column(name="x", kind="number"))
    )
    for specs, schema, skew_ms in ((SPECS[1:], SCHEMA, SKEW_MS), (SPECS, other, SKEW_MS), (SPECS, SCHEMA, SKEW_MS + 1)):
        with pytest.raises(SnapshotError, match="of other windows"):
            read(path, specs, schema, skew_ms)


def test_what_is_missing_or_damaged_is_refused(tmp_path: Path):
    path = tmp_path / "state"
    with pytest.raises(SnapshotError, match="No such file"):
        read(path, SPECS, SCHEMA, SKEW_MS)
    state = WindowState(SPECS, SCHEMA, SKEW_MS)
    feed(state, 0)
    written(path, state)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    noticed = 0
    for place in rng.integers(0, len(whole), 60).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(damaged)
        try:
            read(path, SPECS, SCHEMA, SKEW_MS)
        except SnapshotError:
            noticed += 1
    assert noticed > 50  # the rest are bytes of the archive that nothing is read from
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SnapshotError):
        read(path, SPECS, SCHEMA, SKEW_MS)
