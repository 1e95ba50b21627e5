"""Recorded logs: what is read from them, and what is said about those that can't be replayed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.errors import LogRefusedError
from daemon.replay.config import LogConfig
from daemon.replay.roles import read_log, read_scores, read_stamps
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.summaries import ANSWERED, RECEIVED

SCHEMA = ModelSchema(columns=(Column(name="amount", kind="number"), Column(name="shop", kind="category")))
DAY = pd.Timedelta("1d")


def table(**changes: object) -> pd.DataFrame:
    """Four rows in reverse order of time; the third has no label yet."""
    times = pd.date_range("2026-01-04", periods=4, freq="-1D")
    columns = {
        "time": times,
        "label": [1, 0, None, 1],
        "label_time": [times[0] + DAY, times[1] + DAY, pd.NaT, times[3] + DAY],
        "amount": [4.0, 3.0, None, 1.0],
        "shop": ["a", None, "b", "c"],
        "extra": ["never read"] * 4,
    }
    return pd.DataFrame(columns | changes)


def written(folder: Path, rows: pd.DataFrame) -> Path:
    """Write a log."""
    file = folder / "log.parquet"
    rows.to_parquet(file)
    return file


def refused(folder: Path, rows: pd.DataFrame, roles: LogConfig | None = None, schema: ModelSchema = SCHEMA) -> str:
    """Return all findings."""
    with pytest.raises(LogRefusedError) as caught:
        read_log(written(folder, rows), roles or LogConfig(), schema)
    return "\n".join(caught.value.findings)


def test_rows_are_sorted_numbered_and_split_into_requests_and_labels(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, table()), LogConfig(), SCHEMA)
    assert list(log.requests.columns) == ["id", "time_ms", "amount", "shop"]
    assert log.requests["id"].tolist() == ["row-3", "row-2", "row-1", "row-0"]
    assert log.requests["time_ms"].is_monotonic_increasing
    np.testing.assert_array_equal(log.requests["amount"], [1.0, np.nan, 3.0, 4.0])
    assert log.requests["shop"].tolist() == ["c", "b", None, "a"]
    assert log.labels["id"].tolist() == ["row-3", "row-1", "row-0"]
    assert log.labels["label"].tolist() == [1.0, 0.0, 1.0]
    assert (log.labels["time_ms"].to_numpy() - log.requests["time_ms"].to_numpy()[[0, 2, 3]] == DAY.value // 1_000_000).all()


def test_times_are_the_same_as_timestamps_with_a_zone_and_as_milliseconds(tmp_path: Path) -> None:
    plain = read_log(written(tmp_path, table()), LogConfig(), SCHEMA)
    zoned = table()
    for name in ("time", "label_time"):
        zoned[name] = zoned[name].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    numbers = table()
    for name in ("time", "label_time"):
        moments = numbers[name].astype("datetime64[ms]")
        numbers[name] = moments.astype("int64").astype("float64").where(moments.notna())
    for rows in (zoned, numbers):
        again = read_log(written(tmp_path, rows), LogConfig(), SCHEMA)
        pd.testing.assert_frame_equal(again.requests, plain.requests)
        pd.testing.assert_frame_equal(again.labels, plain.labels)


def test_what_was_before_and_what_is_played(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, table()), LogConfig(), SCHEMA)
    second = int(log.requests["time_ms"].iloc[1])
    assert log.history(second)["id"].tolist() == ["row-3"]
    assert {"known_ms", "label"} <= set(log.history(second).columns)
    played = log.played(second, second + 3 * DAY.value // 1_000_000)
    assert played.requests["id"].tolist() == ["row-2", "row-1", "row-0"]
    assert played.labels["id"].tolist() == ["row-1", "row-0"]


def test_every_missing_column_is_named_with_what_to_do(tmp_path: Path) -> None:
    told = refused(tmp_path, table().drop(columns=["label_time", "shop"]), LogConfig(id="flight"))
    assert "'flight' (the log's id" in told
    assert "`log.label_time`" in told
    assert "'shop' (declared in the model's schema)" in told
    assert "it has: time, label, amount, extra" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label": [2, 0, 1, 1]}, "labels 0 and 1 only"),
        ({"label": [None] * 4}, "no row has a label"),
        ({"label": [1, 0, 1, 1]}, "1 labels have no time of knowing"),
        ({"label_time": [pd.Timestamp("2020-01-01")] * 4}, "4 labels are known before their request"),
        ({"time": [pd.NaT, *pd.date_range("2025-01-01", periods=3)]}, "1 rows have no time"),
        ({"time": ["yesterday"] * 4}, "neither timestamps nor epoch milliseconds"),
        ({"amount": ["much", "1", "2", "3"]}, "'amount': holds something that is no number"),
    ],
)
def test_values_that_make_no_sense_are_found(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    assert told in refused(tmp_path, table(**changes))


def test_doubled_ids_empty_logs_and_other_files_are_refused(tmp_path: Path) -> None:
    assert "1 ids stand there more than once, like 'x'" in refused(
        tmp_path, table(name=["x", "x", "y", "z"]), LogConfig(id="name")
    )
    assert "it has no rows" in refused(tmp_path, table().iloc[:0])
    file = tmp_path / "not.parquet"
    file.write_text("hello")
    with pytest.raises(LogRefusedError, match="isn't a readable parquet file"):
        read_log(file, LogConfig(), SCHEMA)


def test_a_regression_takes_any_number(tmp_path: Path) -> None:
    schema = ModelSchema(columns=SCHEMA.columns, task="regression")
    log = read_log(written(tmp_path, table(label=[2.5, -1.0, None, 7.0])), LogConfig(), schema)
    assert log.labels["label"].tolist() == [7.0, -1.0, 2.5]


def test_scores_go_with_their_ids_and_rows_without_one_are_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, table(answer=[0.4, 0.3, None, 0.1]))
    found = read_scores(file, LogConfig(), "answer")
    assert dict(zip(found["id"], found["score"], strict=True)) == {"row-0": 0.4, "row-1": 0.3, "row-3": 0.1}


@pytest.mark.parametrize(("changes", "said"), [({}, "no column 'answer'"), ({"answer": ["a"] * 4}, "no number")])
def test_what_is_no_column_of_scores_is_said(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(LogRefusedError, match=said):
        read_scores(written(tmp_path, table(**changes)), LogConfig(), "answer")


def test_times_of_the_broker_go_with_their_ids(tmp_path: Path) -> None:
    times = table()["time"]
    file = written(tmp_path, table(got=[1_000, 2_000, None, 4_000], told=times, name=["a", "b", "c", "d"]))
    found = read_stamps(file, LogConfig(received="got", answered="told"))
    assert found["id"].tolist() == ["row-0", "row-1", "row-2", "row-3"]
    np.testing.assert_array_equal(found[RECEIVED], [1_000, 2_000, np.nan, 4_000])
    assert found[ANSWERED].tolist() == [time.value // 1_000_000 for time in times]
    found = read_stamps(file, LogConfig(id="name", received="got"))
    assert (found["id"].tolist(), list(found.columns)) == (["a", "b", "c", "d"], ["id", RECEIVED])


@pytest.mark.parametrize(("name", "said"), [("gone", "no column 'gone'.*log's answered"), ("extra", "neither timestamps")])
def test_what_is_no_column_of_times_is_said(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(LogRefusedError, match=said):
        read_stamps(written(tmp_path, table()), LogConfig(answered=name))
