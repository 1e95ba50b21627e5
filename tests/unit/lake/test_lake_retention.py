"""What goes from the lake and what stays: rows, versions that a lineage names, positions."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from deltalake import DeltaTable

from streams.contracts.errors import LakeError
from streams.lake.compaction import FEW, compact
from streams.lake.lake import Lake
from streams.lake.retention import Vacuumed, expire, vacuum
from tests.kit.lakes import DAY, MODEL, many_commits, predictions

TABLE = "predictions"


def tidy(lake: Lake, *spared: int, hours: int = 0, later_days: int = 1) -> Vacuumed:
    """Vacuum as if the log were a day older than it is."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(days=later_days)
    return vacuum(lake, MODEL, TABLE, keep=dt.timedelta(hours=hours), spared=spared, now=now)


def folder(root: Path) -> Path:
    return root / MODEL / TABLE


def test_whole_days_go_and_positions_stay(tmp_path: Path):
    lake = Lake(tmp_path)
    assert expire(lake, MODEL, TABLE, before_ms=DAY) == 0
    version = many_commits(lake, 4, 2)
    everything, positions, marks = lake.read(MODEL, TABLE), lake.positions(MODEL, TABLE), lake.marks(MODEL, TABLE)
    assert expire(lake, MODEL, TABLE, before_ms=3 * DAY - 1) == 2
    assert expire(lake, MODEL, TABLE, before_ms=3 * DAY - 1) == 0
    for one in (lake, Lake(tmp_path)):
        assert one.read(MODEL, TABLE).equals(everything.filter(everything["time_ms"].to_numpy() >= 2 * DAY))
        assert (one.positions(MODEL, TABLE), one.marks(MODEL, TABLE)) == (positions, marks)
        assert one.read(MODEL, TABLE, version=version).equals(everything)
    lake.append(MODEL, TABLE, predictions(5 * DAY), {"t/0": 3})
    assert lake.positions(MODEL, TABLE) == {"t/0": 3}


def test_a_table_of_which_all_rows_went_goes_on(tmp_path: Path):
    lake = Lake(tmp_path)
    many_commits(lake, 2, FEW + 1)
    assert expire(lake, MODEL, TABLE, before_ms=9 * DAY) == 2
    assert expire(lake, MODEL, TABLE, before_ms=9 * DAY) == 0
    assert compact(lake, MODEL, TABLE, left_ms=9 * DAY).merged == 0
    tidy(lake)
    assert lake.read(MODEL, TABLE, since_ms=0).num_rows == 0
    many_commits(lake, 1, 1)
    assert lake.read(MODEL, TABLE).num_rows == 2
    assert lake.positions(MODEL, TABLE) == {"t/0": FEW + 2}


def test_a_vacuum_spares_what_is_named_and_takes_the_rest(tmp_path: Path):
    lake = Lake(tmp_path)
    named = many_commits(lake, 2, 3)
    unnamed = many_commits(lake, 2, FEW)
    versions = {version: lake.read(MODEL, TABLE, version=version) for version in (named, unnamed)}
    compact(lake, MODEL, TABLE, left_ms=2 * DAY)
    expire(lake, MODEL, TABLE, before_ms=DAY)
    newest, positions = lake.read(MODEL, TABLE), lake.positions(MODEL, TABLE)
    found = tidy(lake, named, 10_000)
    assert found.lost == []
    assert found.files == 2 * FEW + 1  # those of the unnamed version alone, and the merged day that went
    assert lake.read(MODEL, TABLE, version=named).equals(versions[named])
    assert lake.read(MODEL, TABLE).equals(newest)
    with pytest.raises(LakeError):
        lake.read(MODEL, TABLE, version=unnamed)
    for one in (lake, Lake(tmp_path)):
        assert (one.positions(MODEL, TABLE), one.marks(MODEL, TABLE)) == (positions, {"t/0/source": (FEW + 2) * 1_000})
    left = set(folder(tmp_path).glob("date=*/*"))
    tidy(lake, named)
    assert set(folder(tmp_path).glob("date=*/*")) == left
    tidy(lake)
    assert len(left - set(folder(tmp_path).glob("date=*/*"))) == 6
    with pytest.raises(LakeError):
        lake.read(MODEL, TABLE, version=named)


def test_a_version_is_kept_for_as_long_as_is_said(tmp_path: Path):
    lake = Lake(tmp_path)
    version = many_commits(lake, 1, FEW + 1)
    before = lake.read(MODEL, TABLE)
    compact(lake, MODEL, TABLE, left_ms=DAY)
    assert tidy(lake, hours=1, later_days=0).files == 0
    assert lake.read(MODEL, TABLE, version=version).equals(before)


def test_files_that_no_version_names_go(tmp_path: Path):
    lake = Lake(tmp_path)
    many_commits(lake, 1, 1)
    left_behind = folder(tmp_path) / "date=1970-01-01" / "part-00000-left-by-a-crash.snappy.parquet"
    left_behind.write_bytes(b"half a file")
    assert tidy(lake, hours=1).files == 0  # it may still be written
    os.utime(left_behind, (0, 0))
    assert tidy(lake, hours=1).files == 1
    assert not left_behind.exists()
    assert lake.read(MODEL, TABLE).num_rows == 2


def commits(root: Path) -> list[int]:
    return sorted(int(file.stem) for file in (folder(root) / "_delta_log").glob("*.json"))


def checkpoints(root: Path) -> list[int]:
    return sorted(int(file.name[:20]) for file in (folder(root) / "_delta_log").glob("*.checkpoint.parquet"))


def test_the_log_keeps_what_a_kept_version_needs(tmp_path: Path):
    """Checkpoints come every hundred commits: from the one before it, and the commits behind that, a version is read."""
    lake = Lake(tmp_path)
    versions = {}
    for number in range(350):
        version = lake.append(MODEL, TABLE, predictions(number), {"t/0": number + 1}, {"t/0/source": number})
        if version in (130, 250):
            versions[version] = lake.read(MODEL, TABLE)
    assert checkpoints(tmp_path) == [99, 199, 299]
    found = tidy(lake, *versions)
    assert found.lost == []
    last = lake.version(MODEL, TABLE)
    assert commits(tmp_path) == [*range(99, 131), *range(199, 251), *range(299, last + 1)]
    assert checkpoints(tmp_path) == [99, 199, 299]
    assert found.commits == last + 1 - len(commits(tmp_path))
    for one in (lake, Lake(tmp_path)):
        for version, rows in versions.items():
            assert one.read(MODEL, TABLE, version=version).equals(rows)
        assert one.read(MODEL, TABLE).num_rows == 350
        assert (one.positions(MODEL, TABLE), one.marks(MODEL, TABLE)) == ({"t/0": 350}, {"t/0/source": 349})
    assert tidy(lake, *versions) == Vacuumed(0, 0, [])
    with pytest.raises(LakeError):
        lake.read(MODEL, TABLE, version=150)
    assert tidy(lake, 130, 150).lost == [150]
    assert lake.read(MODEL, TABLE, version=130).equals(versions[130])
    many_commits(lake, 1, 1)
    assert lake.read(MODEL, TABLE).num_rows == 352


def test_a_log_is_young_by_the_wall_clock(tmp_path: Path):
    lake = Lake(tmp_path)
    for number in range(120):
        lake.append(MODEL, TABLE, predictions(number), {"t/0": number + 1})
    assert tidy(lake, hours=48).commits == 0
    assert tidy(lake, hours=12).commits == 99


def test_positions_outlive_an_idle_table(tmp_path: Path):
    """Nothing was appended for long, and only maintenance wrote since: what the last append said must stay."""
    lake = Lake(tmp_path)
    many_commits(lake, 1, FEW + 1)
    compact(lake, MODEL, TABLE, left_ms=DAY)
    table = DeltaTable(folder(tmp_path))
    for _ in range(120):  # as vacuums and other tools do over a long time
        table.alter.set_table_properties({"delta.targetFileSize": "1000"})
    table.create_checkpoint()
    for _ in range(2):
        tidy(lake, later_days=400)
        assert Lake(tmp_path).positions(MODEL, TABLE) == {"t/0": FEW + 1}
    many_commits(lake, 1, 1)
    assert Lake(tmp_path).positions(MODEL, TABLE) == {"t/0": FEW + 2}


def test_a_table_of_an_older_release_is_told_to_keep_its_log(tmp_path: Path):
    lake = Lake(tmp_path)
    many_commits(lake, 1, 1)
    DeltaTable(folder(tmp_path)).alter.set_table_properties({"delta.enableExpiredLogCleanup": "true"})
    tidy(lake, hours=24)
    configuration = DeltaTable(folder(tmp_path)).metadata().configuration
    assert configuration["delta.enableExpiredLogCleanup"] == "false"
    assert configuration["delta.deletedFileRetentionDuration"] == "interval 24 hours"
    version = lake.version(MODEL, TABLE)
    tidy(lake, hours=24)
    assert lake.version(MODEL, TABLE) == version


def test_checkpoints_of_another_form_stop_everything(tmp_path: Path):
    """They may be all that a named version can be read from."""
    lake = Lake(tmp_path)
    version = many_commits(lake, 1, FEW + 1)
    compact(lake, MODEL, TABLE, left_ms=DAY)
    foreign = folder(tmp_path) / "_delta_log" / f"{3:020}.checkpoint.{1:010}.{2:010}.parquet"
    foreign.write_bytes(b"")
    with pytest.raises(LakeError, match="another tool"):
        tidy(lake)
    foreign.unlink()
    assert lake.read(MODEL, TABLE, version=version).num_rows == 2 * (FEW + 1)
