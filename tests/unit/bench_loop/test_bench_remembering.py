"""A training that was done before gives the bundle that training again would give, and any difference is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.replay.by_hand import ByHand
from daemon.settings import DaemonSettings
from streams.contracts.features import Window
from streams.inference.store import BundleStore
from streams.runtime.config import load
from tests.bench.closed_loop.remembering import RememberingByHand
from tests.bench.closed_loop.setting import MODEL, Plan, config, write_config
from tests.kit.shops import HOUR_MS, SCHEMA, SKEW_MS, orders

FAST: dict[str, Any] = {"rounds": 5}
COUNTS = Window(aggregate="count", source="requests", by=("shop",), range_ms=HOUR_MS)


def settings_of(folder: Path) -> DaemonSettings:
    folder.mkdir(parents=True)
    plan = Plan(SCHEMA, SKEW_MS, 30 * HOUR_MS, "observe", {})
    return load(DaemonSettings, write_config(folder, config(folder, plan, "0" * 64))).settings


def table_of(folder: Path, seed: int) -> str:
    table = orders(600, seed).table
    file = folder / f"{seed}.parquet"
    pq.write_table(table.append_column(COUNTS.name, pa.array(np.arange(600) % 7.0)), file)
    return str(file)


def has_trained(folder: Path) -> bool:
    return (folder / "work" / "by-hand").exists()


@pytest.mark.timeout(300)
async def test_equal_trainings_are_done_once_and_give_the_bundle_of_plain_skills(tmp_path: Path) -> None:
    memory, table, other = tmp_path / "trained", table_of(tmp_path, 1), table_of(tmp_path, 2)
    settings = [settings_of(tmp_path / name) for name in ("a", "b", "plain")]
    first, second = (RememberingByHand(one, MODEL, memory) for one in settings[:2])
    digest = await first.train("weekly-0", table, (COUNTS,), FAST)
    assert await second.train("weekly-0", table, (COUNTS,), FAST) == digest
    assert await ByHand(settings[2], MODEL).train("weekly-0", table, (COUNTS,), FAST) == digest
    for one in settings:
        assert BundleStore(one.folder("registry")).verify(MODEL, digest).lineage["policy"] == "weekly-0"
    assert [has_trained(tmp_path / name) for name in ("a", "b", "plain")] == [True, False, True]

    for name, rows, windows, parameters in (
        ("weekly-1", table, (COUNTS,), FAST),
        ("weekly-0", other, (COUNTS,), FAST),
        ("weekly-0", table, (), FAST),
        ("weekly-0", table, (COUNTS,), {"rounds": 6}),
    ):
        assert await second.train(name, rows, windows, parameters) != digest
    assert len(list(memory.glob("*.digest"))) == 5
