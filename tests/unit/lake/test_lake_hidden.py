"""The lake hands out no tagged column that is kept and not granted: not by default, not by name, not by filter, not of old."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from streams.contracts.errors import LakeError
from streams.contracts.schema import Column, ModelSchema
from streams.lake.compaction import compact
from streams.lake.lake import Lake
from streams.lake.tables import OUTCOMES, PREDICTIONS, table_schema
from tests.kit.lakes import DAY, MODEL, SCHEMA, many_commits

TAGGED = ModelSchema(
    columns=(Column(name="place", kind="category", role="key", tags=("pii",), protect="keep"), Column(name="size", kind="number"))
)


TAGGED_TABLE, OPEN_TABLE = table_schema(TAGGED, PREDICTIONS), table_schema(SCHEMA, PREDICTIONS)


def history(count: int) -> pa.Table:
    return pa.table({
        "id": [f"h{number}" for number in range(count)],
        "time_ms": list(range(count)),
        "place": ["here"] * count,
        "size": [1.0] * count,
        "label": [1.0] * count,
        "known_ms": list(range(count)),
    })  # fmt: skip


def test_a_table_is_made_with_its_marks_and_every_lake_obeys_them(tmp_path: Path):
    Lake(tmp_path).import_history(MODEL, TAGGED, history(3), "past")
    lake = Lake(tmp_path)
    assert lake.hidden(MODEL, OUTCOMES) == lake.hidden(MODEL, PREDICTIONS) == {"place"}
    assert lake.read(MODEL, OUTCOMES).column_names == [name for name in table_schema(TAGGED, OUTCOMES).names if name != "place"]
    for asked in ({"columns": ["id", "place"]}, {"among": {"place": ["here"]}}, {"columns": ["place"], "version": 1}):
        with pytest.raises(LakeError, match=r"place is tagged.*granted: true"):
            lake.read(MODEL, OUTCOMES, **asked)
    with pytest.raises(LakeError, match=r"place is tagged.*granted: true"):
        next(lake.scan(MODEL, OUTCOMES, ["id", "place"]))
    (part,) = lake.scan(MODEL, OUTCOMES, ["place", "time_ms"], since_ms=1, until_ms=3, keys=["place"])
    assert part.to_pydict() == {"place": ["here"] * 2, "time_ms": [1, 2]}
    assert list(lake.scan(MODEL, OUTCOMES, ["id"], since_ms=9, time_column="known_ms")) == []
    assert lake.read(MODEL, OUTCOMES, ["place"], keys=["place"]).column("place").to_pylist() == ["here"] * 3
    assert lake.read(MODEL, OUTCOMES, ["id"], among={"place": ["there"]}, keys=["place"]).num_rows == 0


def test_a_tag_hides_what_was_stored_before_it_and_a_grant_shows_it_again(tmp_path: Path):
    lake, other = Lake(tmp_path), Lake(tmp_path)
    version = many_commits(lake, 1, 8)
    assert lake.hidden(MODEL, PREDICTIONS) == frozenset()
    lake.fit(MODEL, PREDICTIONS, TAGGED_TABLE)
    for asked in ({}, {"version": version}):
        with pytest.raises(LakeError, match="place"):
            other.read(MODEL, PREDICTIONS, ["place"], **asked)
        assert "place" not in other.read(MODEL, PREDICTIONS, **asked).column_names
    hidden = lake.version(MODEL, PREDICTIONS)
    lake.fit(MODEL, PREDICTIONS, TAGGED_TABLE)
    assert lake.version(MODEL, PREDICTIONS) == hidden > version, "only a change is a commit"
    assert many_commits(lake, 1, 1) == hidden + 1, "the writer goes on where it was"
    assert compact(lake, MODEL, PREDICTIONS, left_ms=2 * DAY).merged
    assert lake.hidden(MODEL, PREDICTIONS) == {"place"}
    lake.fit(MODEL, PREDICTIONS, OPEN_TABLE)
    assert other.read(MODEL, PREDICTIONS, ["place"]).num_rows == 18


def test_a_column_that_is_declared_no_more_stays_hidden(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.fit(MODEL, PREDICTIONS, TAGGED_TABLE)
    assert not lake.exists(MODEL, PREDICTIONS), "it will be made so"
    many_commits(lake, 1, 1)
    lake.fit(MODEL, PREDICTIONS, TAGGED_TABLE)
    version = lake.version(MODEL, PREDICTIONS)
    lake.fit(MODEL, PREDICTIONS, table_schema(ModelSchema(columns=TAGGED.columns[1:]), PREDICTIONS))
    assert lake.hidden(MODEL, PREDICTIONS) == {"place"}
    assert lake.version(MODEL, PREDICTIONS) == version
