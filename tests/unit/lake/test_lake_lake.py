"""The lake's promises: every row once, whole commits, only what was asked for is read."""

from __future__ import annotations

import datetime as dt
import math
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from streams.contracts.errors import LakeError
from streams.contracts.schema import Column, ModelSchema
from streams.lake.compaction import compact
from streams.lake.lake import _REOPEN_AFTER, Lake
from streams.lake.tables import RESERVED, table_schema
from tests.kit.lakes import DAY, SCHEMA, outcomes, predictions


def test_what_is_written_is_read(tmp_path: Path):
    lake = Lake(tmp_path)
    assert not lake.exists("m", "predictions")
    assert lake.positions("m", "predictions") == {}
    version = lake.append("m", "predictions", predictions(7, 5), {"t/0": 2})
    assert lake.version("m", "predictions") == version
    found = lake.read("m", "predictions")
    assert found.schema.equals(table_schema(SCHEMA, "predictions"))
    assert found.to_pylist() == predictions(7, 5).take([1, 0]).to_pylist()


def test_positions_must_grow(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(1), {"t/0": 10, "t/1": 3})
    for positions in ({"t/0": 10}, {"t/0": 9}, {"t/1": 4, "t/0": 10}):
        with pytest.raises(LakeError, match="t/0 is stored up to 10"):
            lake.append("m", "predictions", predictions(2), positions)
    with pytest.raises(LakeError, match="needs the positions"):
        lake.append("m", "predictions", predictions(2), {})
    lake.append("m", "predictions", predictions(3), {"t/1": 4})
    assert Lake(tmp_path).positions("m", "predictions") == {"t/0": 10, "t/1": 4}
    assert lake.read("m", "predictions", ["time_ms"]).to_pydict() == {"time_ms": [1, 3]}


def test_a_table_takes_new_columns_and_goes_on_without_old_ones(tmp_path: Path):
    lake, reader = Lake(tmp_path), Lake(tmp_path)
    before = lake.append("m", "predictions", predictions(1), {"t/0": 1})
    assert reader.read("m", "predictions").num_rows == 1
    more = predictions(2).append_column("colour", pa.array(["red"]))
    lake.append("m", "predictions", more.drop_columns(["place"]), {"t/0": 2})
    for offset in (3, 4, 5):
        lake.append("m", "predictions", predictions(offset), {"t/0": offset})
    wanted = ["time_ms", "place", "colour"]
    for one in (lake, reader, Lake(tmp_path)):
        assert one.read("m", "predictions", wanted, until_ms=4).to_pylist() == [
            {"time_ms": 1, "place": "a", "colour": None},
            {"time_ms": 2, "place": None, "colour": "red"},
            {"time_ms": 3, "place": "a", "colour": None},
        ]
        assert one.read("m", "predictions", among={"colour": ["red"]}).num_rows == 1
        assert one.positions("m", "predictions") == {"t/0": 5}
        assert one.read("m", "predictions", version=before).column_names == predictions(1).column_names
    assert compact(lake, "m", "predictions", left_ms=2 * DAY).merged
    assert reader.read("m", "predictions", ["colour"]).column("colour").to_pylist() == [None, "red", None, None, None]


def test_a_column_that_is_there_keeps_its_type(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    texts = predictions(2).set_column(5, "size", pa.array(["large"]))
    with pytest.raises(LakeError, match=r"m/predictions: column size holds double .*, and string now; give it another name"):
        lake.append("m", "predictions", texts, {"t/0": 2})
    assert lake.positions("m", "predictions") == {"t/0": 1}


def test_names_that_differ_by_case_alone_are_refused(tmp_path: Path):
    lake = Lake(tmp_path)
    both = predictions(1).append_column("Size", pa.array([1.0]))
    with pytest.raises(LakeError, match=r"m/predictions: columns size and Size differ by case alone.*rename one"):
        lake.append("m", "predictions", both, {"t/0": 1})
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    with pytest.raises(LakeError, match=r"m/predictions: columns size and Size differ by case alone.*rename one"):
        lake.append("m", "predictions", both, {"t/0": 2})


def test_marks_never_fall(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(1), {"t/0": 1}, {"t/0/source": 50})
    lake.append("m", "predictions", predictions(2), {"t/0": 2}, {"t/0/source": 40, "t/0/1": 7})
    assert lake.marks("m", "predictions") == {"t/0/source": 50, "t/0/1": 7}


def test_positions_survive_a_commit_by_someone_else(tmp_path: Path):
    lake = Lake(tmp_path)
    for offset in (1, 2):
        lake.append("m", "predictions", predictions(offset), {"t/0": offset})
    DeltaTable(tmp_path / "m" / "predictions").optimize.compact()
    assert lake.positions("m", "predictions") == {"t/0": 2}
    lake.append("m", "predictions", predictions(9), {"t/1": 1})
    assert lake.positions("m", "predictions") == {"t/0": 2, "t/1": 1}


def test_a_second_writer_is_refused_not_interleaved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    stale = DeltaTable(tmp_path / "m" / "predictions")
    lake.append("m", "predictions", predictions(2), {"t/0": 2})
    monkeypatch.setattr(Lake, "_open", lambda *_: stale)
    with pytest.raises(LakeError, match="m/predictions"):
        lake.append("m", "predictions", predictions(2), {"t/0": 2})
    monkeypatch.undo()
    assert lake.read("m", "predictions", ["time_ms"]).to_pydict() == {"time_ms": [1, 2]}


def test_what_another_wrote_meanwhile_is_seen(tmp_path: Path):
    lake, other = Lake(tmp_path), Lake(tmp_path)
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    other.append("m", "predictions", predictions(2), {"t/0": 2})
    with pytest.raises(LakeError, match="t/0 is stored up to 2"):
        lake.append("m", "predictions", predictions(2), {"t/0": 2})
    lake.append("m", "predictions", predictions(3), {"t/0": 3})
    assert other.read("m", "predictions", ["time_ms"]).to_pydict() == {"time_ms": [1, 2, 3]}
    assert other.positions("m", "predictions") == {"t/0": 3}


def test_a_table_that_was_put_in_its_place_is_opened_anew(tmp_path: Path):
    lake = Lake(tmp_path)
    for offset in (1, 2, 3):
        lake.append("m", "predictions", predictions(offset), {"t/0": offset})
    shutil.rmtree(tmp_path / "m" / "predictions")
    assert lake.positions("m", "predictions") == {}
    Lake(tmp_path).append("m", "predictions", predictions(7), {"t/0": 1})
    lake.append("m", "predictions", predictions(8), {"t/0": 2})
    assert lake.read("m", "predictions", ["time_ms"]).to_pydict() == {"time_ms": [7, 8]}


def test_a_table_of_many_commits_stays_one_table(tmp_path: Path):
    lake, reader = Lake(tmp_path), Lake(tmp_path)
    times = list(range(_REOPEN_AFTER * 2 + 3))
    for time in times:
        lake.append("m", "predictions", predictions(time), {"t/0": time + 1})
        if time % 20 == 0:
            assert reader.positions("m", "predictions") == {"t/0": time + 1}
    assert reader.read("m", "predictions", ["time_ms"]).to_pydict() == {"time_ms": times}


def test_reads_are_bounded_by_time_and_skip_other_days(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "outcomes", outcomes(5, DAY, 3 * DAY), {"t/0": 3})
    for since, until, expected in (
        (None, None, [5, DAY, 3 * DAY]),
        (DAY, 3 * DAY, [DAY]),
        (DAY + 1, None, [3 * DAY]),
        (None, DAY, [5]),
    ):
        found = lake.read("m", "outcomes", ["known_ms"], since_ms=since, until_ms=until, time_column="known_ms")
        assert found.column_names == ["known_ms"]
        assert found.to_pydict()["known_ms"] == expected
    by_request = lake.read("m", "outcomes", ["id", "known_ms"], until_ms=DAY)
    assert by_request.to_pydict() == {"id": ["r0", f"r{DAY - 5}"], "known_ms": [5, DAY]}
    files = tmp_path / "m" / "outcomes"
    assert sorted(folder.name for folder in files.glob("date=*")) == ["date=1970-01-01", "date=1970-01-02", "date=1970-01-04"]
    for other in (*files.glob("date=1970-01-01/*"), *files.glob("date=1970-01-04/*")):
        other.unlink()  # a read of the second day must not miss them
    found = lake.read("m", "outcomes", ["known_ms"], since_ms=DAY, until_ms=2 * DAY, time_column="known_ms")
    assert found.to_pydict() == {"known_ms": [DAY]}


def test_a_time_without_statistics_is_skipped_by_its_day(tmp_path: Path):
    lake = Lake(tmp_path)
    rows = outcomes(5, DAY, 3 * DAY)
    wide = pa.table({f"x{number:02d}": [0.0] * 3 for number in range(40)} | {name: rows[name] for name in rows.column_names})
    lake.append("m", "outcomes", wide, {"t/0": 3})
    for other in (tmp_path / "m" / "outcomes").glob("date=1970-01-0[14]/*"):
        other.unlink()
    found = lake.read("m", "outcomes", ["known_ms"], since_ms=DAY, until_ms=2 * DAY, time_column="known_ms")
    assert found.to_pydict() == {"known_ms": [DAY]}


def test_an_old_version_stays_readable(tmp_path: Path):
    lake = Lake(tmp_path)
    first = lake.append("m", "predictions", predictions(1), {"t/0": 1})
    lake.append("m", "predictions", predictions(2), {"t/0": 2})
    assert lake.read("m", "predictions", ["time_ms"], version=first).to_pydict() == {"time_ms": [1]}
    assert lake.positions("m", "predictions", first) == {"t/0": 1}
    assert lake.positions("m", "predictions") == {"t/0": 2}
    with pytest.raises(LakeError, match="m/predictions"):
        lake.read("m", "predictions", version=99)


def test_a_version_stays_what_it_is_while_the_same_lake_writes_on(tmp_path: Path):
    lake = Lake(tmp_path)
    version = lake.append("m", "predictions", predictions(1), {"t/0": 1})
    handle = lake._existing("m", "predictions", version)
    lake.append("m", "predictions", predictions(2), {"t/0": 2})
    assert handle.version() == version


def test_history_is_imported_once(tmp_path: Path):
    lake = Lake(tmp_path)
    rows = pa.table(
        {
            "id": ["a", "b", "c"],
            "time_ms": [3, 1, DAY],
            "place": ["x", None, "y"],
            "size": [1, 2, 3],
            "label": pa.array([1, None, 0], pa.int64()),
            "known_ms": pa.array([9, None, 2 * DAY], pa.int64()),
            "further": [0, 0, 0],
        }
    )
    assert lake.import_history("m", SCHEMA, rows, "2013")
    assert not lake.import_history("m", SCHEMA, rows, "2013")
    assert lake.positions("m", "predictions") == {}
    all_rows = lake.read("m", "predictions").to_pylist()
    assert [row["id"] for row in all_rows] == ["b", "a", "c"]
    assert all(math.isnan(row["score"]) and row["digest"] == "" and row["partition"] == -1 for row in all_rows)
    assert lake.read("m", "outcomes", ["id", "label", "known_ms", "offset"]).to_pylist() == [
        {"id": "a", "label": 1.0, "known_ms": 9, "offset": 0},
        {"id": "c", "label": 0.0, "known_ms": 2 * DAY, "offset": 2},
    ]
    lake.append("m", "outcomes", outcomes(7), {"t/0": 1})  # what is served later fits behind it
    assert lake.import_history("m", SCHEMA, rows, "2014")
    assert len(lake.read("m", "outcomes")) == 5


def test_history_interrupted_between_the_tables_is_completed(tmp_path: Path):
    rows = pa.table({"id": ["a"], "time_ms": [3], "place": ["x"], "size": [1.0], "label": [1.0], "known_ms": [9]})
    lake = Lake(tmp_path)
    blocker = tmp_path / "m" / "outcomes"
    blocker.parent.mkdir()
    blocker.write_text("in the way")
    with pytest.raises(LakeError, match="m/outcomes"):
        lake.import_history("m", SCHEMA, rows, "h")
    blocker.unlink()
    assert lake.import_history("m", SCHEMA, rows, "h")
    assert len(lake.read("m", "predictions")) == len(lake.read("m", "outcomes")) == 1


def test_history_refusals(tmp_path: Path):
    lake = Lake(tmp_path)
    good = {"id": ["a"], "time_ms": [3], "place": ["x"], "size": [1.0], "label": [1.0], "known_ms": [9]}
    for changed, match in (
        ({"size": ["big"]}, "history"),
        ({"known_ms": pa.array([None], pa.int64())}, "became known"),
        ({"time_ms": pa.array([None], pa.int64())}, "time_ms must not be null"),
    ):
        with pytest.raises(LakeError, match=match):
            lake.import_history("m", SCHEMA, pa.table({**good, **changed}), "h")
    with pytest.raises(LakeError, match="lacks the columns size, label"):
        lake.import_history("m", SCHEMA, pa.table(good).drop(["size", "label"]), "h")
    assert not lake.exists("m", "predictions")


def test_clear_errors(tmp_path: Path):
    lake = Lake(tmp_path)
    with pytest.raises(LakeError, match="no predictions of m yet"):
        lake.read("m", "predictions")
    with pytest.raises(LakeError, match="no predictions of m yet"):
        lake.version("m", "predictions")
    with pytest.raises(LakeError, match="no table 'features'"):
        lake.read("m", "features")
    with pytest.raises(LakeError, match="model name"):
        lake.append("../m", "predictions", predictions(1), {"t/0": 1})
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    with pytest.raises(LakeError, match="m/predictions"):
        lake.append("m", "predictions", predictions(2).drop_columns(["time_ms"]), {"t/0": 2})
    with pytest.raises(LakeError, match="nowhere"):
        lake.read("m", "predictions", ["nowhere"])
    (name,) = {"label"} & RESERVED
    with pytest.raises(LakeError, match="use these names themselves"):
        table_schema(ModelSchema(columns=(Column(name=name, kind="number"),)), "outcomes")


def test_dates_are_utc_days(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(-1, 0, DAY - 1), {"t/0": 1})
    dates = lake.read("m", "predictions", ["date"]).to_pydict()["date"]
    assert dates == [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(1970, 1, 1)]


def test_another_process_reads_whole_commits_while_one_writes(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(0, 0, 0), {"t/0": 1})
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        reading = pool.apply_async(_read_until, (str(tmp_path), 30))
        for offset in range(2, 12):
            lake.append("m", "predictions", predictions(*[offset] * 3), {"t/0": offset})
        counts = reading.get(timeout=60)
    assert len(counts) == 30
    assert all(count % 3 == 0 for count in counts)
    assert counts == sorted(counts)


def _read_until(root: str, most: int) -> list[int]:
    lake = Lake(root)
    return [len(lake.read("m", "predictions", ["id"])) for _ in range(most)]


def test_a_folder_and_its_url_are_the_same_lake(tmp_path: Path):
    folder = tmp_path / "a lake"
    lake, by_url = Lake(folder), Lake(folder.as_uri())
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    by_url.append("m", "predictions", predictions(2), {"t/0": 2})
    assert lake.read("m", "predictions", ["time_ms"]).equals(by_url.read("m", "predictions", ["time_ms"]))
    assert lake.positions("m", "predictions") == by_url.positions("m", "predictions") == {"t/0": 2}
    assert [place.name for place in tmp_path.iterdir()] == ["a lake"]


def test_a_log_that_lost_its_positions_is_refused(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.append("m", "predictions", predictions(1), {"t/0": 1})
    table = DeltaTable(tmp_path / "m" / "predictions")
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    table.create_checkpoint()
    for number in (0, 1):
        (tmp_path / "m" / "predictions" / "_delta_log" / f"{number:020}.json").unlink()
    with pytest.raises(LakeError, match="cleaned it up"):
        Lake(tmp_path).positions("m", "predictions")


def test_a_process_that_read_ends_in_order(tmp_path: Path):
    Lake(tmp_path).append("m", "predictions", predictions(1), {"t/0": 1})
    code = f"from streams.lake.lake import Lake; print(len(Lake({str(tmp_path)!r}).read('m', 'predictions', until_ms=5)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own text
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1", "")
