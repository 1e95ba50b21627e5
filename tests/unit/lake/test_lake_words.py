"""What is said when a table can't be used: which table, what and where, and never a value that a row holds."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError, SchemaMismatchError, TableNotFoundError

from skills import build_dataset
from skills.__main__ import main
from streams.contracts.errors import LakeError
from streams.lake.lake import Lake
from streams.lake.query import run
from streams.lake.tables import ColumnsError, explained
from tests.kit.lakes import SCHEMA

JANE = "jane@example.org"
HISTORY = {"id": ["a"], "time_ms": [3], "place": ["x"], "size": [JANE], "label": [1.0], "known_ms": [9]}


def shown(error: BaseException) -> str:
    """All that a log of the data plane would have of an error."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "kind", [pa.ArrowInvalid, pa.ArrowTypeError, DeltaError, DeltaProtocolError, SchemaMismatchError, KeyError, ValueError]
)
def test_words_that_may_repeat_a_value_are_kept_back(kind: type[Exception]) -> None:
    with pytest.raises(LakeError) as raised, explained("m", "outcomes"):
        raise kind(f"can't read '{JANE}'")
    assert str(raised.value).startswith(f"m/outcomes: {kind.__name__} in test_words_that_may_repeat_a_value_are_kept_back, test_")
    assert JANE not in shown(raised.value)
    assert JANE in str(raised.value.__context__), "for a skill's own log"


@pytest.mark.parametrize("kind", [OSError, PermissionError, CommitFailedError, TableNotFoundError, ColumnsError])
def test_words_about_files_and_commits_are_for_who_must_act(kind: type[Exception]) -> None:
    with pytest.raises(LakeError, match="m/outcomes: no space left"), explained("m", "outcomes"):
        raise kind("no space left")


def test_a_value_that_is_no_number_is_said_by_its_column(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="history: size holds string, not all of which can be read as double") as raised:
        Lake(tmp_path).import_history("m", SCHEMA, pa.table(HISTORY), "h")
    assert JANE not in shown(raised.value)


def test_a_file_that_another_tool_has_put_in_its_place_doesn_t_tell_what_is_in_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_history("m", SCHEMA, pa.table(HISTORY | {"size": [1.0]}), "h")
    (file,) = (tmp_path / "m" / "predictions").glob("date=*/*.parquet")
    rows = pq.read_table(file, partitioning=None)
    pq.write_table(rows.set_column(rows.column_names.index("size"), "size", pa.array([JANE])), file)
    with pytest.raises(LakeError, match="m/predictions: ArrowInvalid in ") as raised:
        lake.read("m", "predictions")
    assert JANE in str(raised.value.__context__)
    assert JANE not in shown(raised.value)
    with pytest.raises(LakeError, match="m/predictions: ArrowInvalid in "):
        list(lake.scan("m", "predictions", ["id", "size"]))


def test_a_query_that_stumbles_over_a_value_doesn_t_repeat_it() -> None:
    with pytest.raises(LakeError, match="DuckDB: Conversion Error") as raised:
        run("SELECT CAST(place AS DOUBLE) FROM rows", {"rows": pa.table({"place": [JANE]})})
    assert JANE not in shown(raised.value)


def test_a_column_that_isn_t_there_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_history("m", SCHEMA, pa.table(HISTORY | {"size": [1.0]}), "h")
    for among in ({}, {"colour": ["red"]}):
        with pytest.raises(LakeError, match=r"m/outcomes: there is no column (colour, )?weight"):
            lake.read("m", "outcomes", ["id", "weight"], among=among)


def test_a_skill_tells_it_where_the_data_are_and_nowhere_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error goes to a file in the step's folder; the answer goes into the ledger."""
    pq.write_table(pa.table(HISTORY), tmp_path / "history.parquet")
    asked = {"lake": str(tmp_path / "lake"), "model": "m", "schema": SCHEMA, "table": str(tmp_path / "history.parquet")}
    (tmp_path / "in.json").write_bytes(msgspec.json.encode(asked | {"name": "h"}))
    places = [f"--input={tmp_path / 'in.json'}", f"--output={tmp_path / 'out.json'}", f"--work={tmp_path / 'work'}"]
    assert main(["import_history", *places]) == 1
    answer = json.loads((tmp_path / "out.json").read_text())
    assert answer["error"]["kind"] == "bad_input"
    assert "size holds string" in answer["error"]["message"]
    assert JANE not in json.dumps(answer)
    assert JANE in capsys.readouterr().err


def test_what_the_lake_says_is_told_in_full_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(asked: object, work: Path) -> object:
        with explained("m", "outcomes"):
            raise pa.ArrowInvalid(f"can't read '{JANE}'")

    monkeypatch.setattr(build_dataset, "run", stumble)
    (tmp_path / "in.json").write_bytes(
        msgspec.json.encode({"lake": "l", "registry": "r", "model": "m", "until_ms": 3, "train_ms": 2, "sealed_ms": 1})
    )
    places = [f"--input={tmp_path / 'in.json'}", f"--output={tmp_path / 'out.json'}", f"--work={tmp_path / 'work'}"]
    assert main(["build_dataset", *places]) == 1
    answer = json.loads((tmp_path / "out.json").read_text())
    assert (answer["error"]["kind"], "m/outcomes: ArrowInvalid in stumble" in answer["error"]["message"]) == ("lake", True)
    assert JANE not in json.dumps(answer)
    assert JANE in capsys.readouterr().err
