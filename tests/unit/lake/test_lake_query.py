"""The door to DuckDB has no other side."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from streams.contracts.errors import LakeError
from streams.lake.query import run


def test_it_runs_over_the_tables_given():
    rows = pa.table({"x": [1, 2, 3]})
    assert run("SELECT sum(x)::BIGINT AS total FROM facts", {"facts": rows}).to_pydict() == {"total": [6]}


def test_it_sees_no_variables_files_or_settings(tmp_path: Path):
    rows = pa.table({"x": [1]})  # noqa: F841 - the statement must not find it
    path = tmp_path / "secret.csv"
    path.write_text("a\n1\n")
    for sql in (
        "SELECT * FROM rows",
        f"FROM '{path}'",
        f"FROM read_csv('{path}')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "not SQL at all",
    ):
        with pytest.raises(LakeError, match="DuckDB"):
            run(sql, {})
    assert not (tmp_path / "out.csv").exists()


def test_it_stays_within_its_memory():
    with pytest.raises(LakeError, match=r"(?i)memory"):
        run("SELECT list(range) FROM range(100000000)", {}, memory_mb=64)
