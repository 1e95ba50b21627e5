"""Compaction: fewer files, the same rows, positions and older versions."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from streams.contracts.errors import LakeError
from streams.lake import compaction
from streams.lake.compaction import FEW, MANY, Compacted, compact
from streams.lake.lake import Lake
from tests.kit.lakes import DAY, MODEL, many_commits, outcomes, predictions


def files(root: Path, day: int, table: str = "predictions") -> int:
    """Count the files of a day in the newest version."""
    handle = Lake(root).handle(MODEL, table)
    assert handle is not None
    days = pa.table(handle.get_add_actions(flatten=True)).column("partition.date").cast(pa.int32()).to_pylist()
    return days.count(day)


@pytest.mark.parametrize("table", ["predictions", "outcomes"])
def test_files_become_few_and_nothing_else_changes(tmp_path: Path, table: str):
    lake = Lake(tmp_path)
    version = many_commits(lake, 3, FEW + 1, table)
    before = [lake.read(MODEL, table), lake.positions(MODEL, table), lake.marks(MODEL, table)]
    assert [files(tmp_path, day, table) for day in range(3)] == [FEW + 1] * 3
    assert compact(lake, MODEL, table, left_ms=3 * DAY) == Compacted(3 * (FEW + 1), 3)
    assert [files(tmp_path, day, table) for day in range(3)] == [1, 1, 1]
    assert lake.version(MODEL, table) == version + 1
    for one in (lake, Lake(tmp_path)):
        assert [one.read(MODEL, table), one.positions(MODEL, table), one.marks(MODEL, table)] == before
        assert one.read(MODEL, table, version=version).equals(before[0])
    many_commits(lake, 3, 1, table)
    assert lake.positions(MODEL, table) == {"t/0": FEW + 2}
    assert lake.read(MODEL, table).num_rows == 6 * (FEW + 2)
    with pytest.raises(LakeError, match=f"stored up to {FEW + 2}"):
        lake.append(MODEL, table, before[0], {"t/0": FEW + 2})


def test_a_day_to_which_rows_still_come_is_left_until_it_has_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lake = Lake(tmp_path)
    many_commits(lake, 2, FEW + 1)
    assert compact(lake, MODEL, "predictions", left_ms=2 * DAY - 1) == Compacted(FEW + 1, 1)
    assert [files(tmp_path, day) for day in range(2)] == [1, FEW + 1]
    assert MANY > FEW
    monkeypatch.setattr(compaction, "MANY", FEW)
    assert compact(lake, MODEL, "predictions", left_ms=2 * DAY - 1) == Compacted(FEW + 1, 1)
    assert [files(tmp_path, day) for day in range(2)] == [1, 1]


def test_what_is_in_order_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lake = Lake(tmp_path)
    assert compact(lake, MODEL, "predictions", left_ms=DAY) == Compacted(0, 0)
    version = many_commits(lake, 2, FEW)
    assert compact(lake, MODEL, "predictions", left_ms=9 * DAY) == Compacted(0, 0)
    monkeypatch.setattr(compaction, "FEW", 1)
    monkeypatch.setattr(compaction, "TARGET_BYTES", 2)  # as if every file were half of it or more
    assert compact(lake, MODEL, "predictions", left_ms=9 * DAY) == Compacted(0, 0)
    assert lake.version(MODEL, "predictions") == version


def test_one_turn_takes_the_oldest_days_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lake = Lake(tmp_path)
    many_commits(lake, 3, FEW + 1)
    monkeypatch.setattr(compaction, "MOST", FEW + 2)
    assert compact(lake, MODEL, "predictions", left_ms=9 * DAY) == Compacted(2 * (FEW + 1), 2)
    assert [files(tmp_path, day) for day in range(3)] == [1, 1, FEW + 1]


def test_merged_files_keep_their_statistics(tmp_path: Path):
    lake = Lake(tmp_path)
    for number in range(FEW + 1):
        lake.append(MODEL, "outcomes", outcomes(number, DAY + number), {"t/0": number + 1})
    compact(lake, MODEL, "outcomes", left_ms=9 * DAY)
    (other,) = (file for file in (tmp_path / MODEL / "outcomes" / "date=1970-01-01").iterdir() if is_merged(file))
    other.unlink()  # a read of the second day must not miss it
    found = lake.read(MODEL, "outcomes", ["known_ms"], since_ms=DAY, time_column="known_ms")
    assert found.to_pydict() == {"known_ms": [DAY + number for number in range(FEW + 1)]}
    by_request = lake.read(MODEL, "outcomes", ["known_ms"], since_ms=DAY - 4)
    assert by_request.num_rows == FEW


def is_merged(file: Path) -> bool:
    return file.stat().st_mtime_ns == max(other.stat().st_mtime_ns for other in file.parent.iterdir())


def test_a_reader_with_an_older_view_goes_on(tmp_path: Path):
    lake, reader = Lake(tmp_path), Lake(tmp_path)
    many_commits(lake, 1, FEW + 1)
    expected = reader.read(MODEL, "predictions")
    compact(lake, MODEL, "predictions", left_ms=DAY)
    assert reader.read(MODEL, "predictions").equals(expected)
    lake.append(MODEL, "predictions", predictions(9), {"t/0": 99})
    assert reader.positions(MODEL, "predictions") == {"t/0": 99}
