"""Rows that come in by a file: protected as requests are, exactly once, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.executing.config import ExecutingConfig
from daemon.replay.by_hand import ByHand
from daemon.settings import DaemonSettings
from skills import adopt_model, import_history
from skills._kit.errors import InputError
from streams.contracts.schema import Column, ModelSchema
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.runtime.protection import Protection, make_key, read_key
from tests.kit.shops import MODEL, orders
from tests.kit.sources import ROOT

SCHEMA = ModelSchema(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="buyer", kind="category", role="key", tags=("pii",), protect="hash"),
        Column(name="email", kind="category", role="feature", tags=("pii",), protect="hash", granted=True),
        Column(name="weight", kind="number", role="ignored", tags=("secret",), protect="drop"),
    )
)
TABLE = orders(300, 2).table


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "columns.key")
    return tmp_path / "columns.key"


def asked(folder: Path, **changes: Any) -> import_history.Input:
    pq.write_table(TABLE, folder / "history.parquet")
    given = {
        "lake": str(folder / "lake"),
        "model": MODEL,
        "schema": SCHEMA,
        "table": str(folder / "history.parquet"),
        "name": "past",
    }
    return import_history.Input(**{**given, **changes})


def test_history_is_protected_as_requests_are(tmp_path: Path, key: Path):
    import_history.run(asked(tmp_path, key_file=str(key)), tmp_path)
    protection = Protection(SCHEMA, read_key(key))
    for table in ("predictions", "outcomes"):
        rows = Lake(tmp_path / "lake").read(MODEL, table, ["id", "amount", "buyer", "email", "weight"])
        given = TABLE.sort_by("time_ms")
        assert sorted(rows.column("buyer").to_pylist()) == sorted(protection.texts(TABLE.column("buyer").to_pylist()))
        assert rows.column("amount").to_pylist() == given.column("amount").to_pylist()
        assert rows.column("weight").null_count == rows.num_rows
        assert "@" not in str(rows.to_pylist())


UNSAID = Column(name="buyer", kind="category", role="key", tags=("pii",))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "key_file: buyer is protected"),
        ({"key_file": "no/such/file"}, "protection.key_file"),
        ({"schema": ModelSchema(columns=(SCHEMA.columns[0], UNSAID))}, "buyer is tagged"),
    ],
)
def test_rows_that_nobody_can_protect_are_refused(tmp_path: Path, changes: dict[str, Any], why: str):
    with pytest.raises(InputError, match=why):
        import_history.run(asked(tmp_path, **changes), tmp_path)
    assert not (tmp_path / "lake").exists()


def test_an_adopted_bundle_knows_hashes_only(tmp_path: Path, key: Path):
    scores = np.clip(TABLE.column("label").to_numpy() * 0.5 + 0.2, 0, 1)
    pq.write_table(TABLE.append_column("score", pa.array(scores)), tmp_path / "log.parquet")
    given = adopt_model.Input(
        registry=str(tmp_path / "registry"), model=MODEL, table=str(tmp_path / "log.parquet"), schema=SCHEMA, key_file=str(key)
    )
    digest = adopt_model.run(given, tmp_path).digest
    manifest = BundleStore(tmp_path / "registry").read_manifest(MODEL, digest)
    emails = {row["email"] for row in manifest.golden.columns}
    assert emails <= set(Protection(SCHEMA, read_key(key)).texts(TABLE.column("email").to_pylist()))
    assert manifest.schema == SCHEMA
    for file in (tmp_path / "registry" / MODEL / digest).iterdir():
        assert b"@example.org" not in file.read_bytes()


class HereSettings(DaemonSettings):
    """Skills' processes import this checkout, whatever is installed."""

    def executing_config(self) -> ExecutingConfig:
        return super().executing_config().model_copy(update={"python_path": (str(ROOT),)})


async def test_by_hand_a_key_is_made_and_no_raw_rows_stay_in_the_work_folder(tmp_path: Path):
    columns = [{key: value for key, value in msgspec.to_builtins(column).items() if key != "unit"} for column in SCHEMA.columns]
    settings = HereSettings.model_validate({"data_dir": tmp_path, "models": [{"name": MODEL, "schema": {"columns": columns}}]})
    by_hand = ByHand(settings, MODEL)
    await by_hand.import_history(TABLE.to_pandas(), "past")
    rows = Lake(settings.lake_place).read(MODEL, "predictions", ["id", "buyer"])
    expected = Protection(SCHEMA, read_key(settings.hash_key_file)).texts(TABLE.column("buyer").to_pylist())
    assert sorted(rows.column("buyer").to_pylist()) == sorted(str(text) for text in expected)
    written = [file for file in settings.folder("work").rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if file.suffix == ".parquet"]
    key = settings.hash_key_file.read_bytes().strip()
    assert not [file for file in written if b"@example.org" in file.read_bytes() or key in file.read_bytes()]
