"""Makes the small state that a version leaves behind: `python -m tests.kit.snapshot FOLDER`.

Its output for each released version is kept under `tests/fixtures/`, so that every later version has something old to start
from. Never make an old version's again: what counts is what that version wrote.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from streams.contracts.features import Window
from streams.lake.lake import Lake
from streams.lake.tables import OUTCOMES, PREDICTIONS, table_schema
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of
from tests.kit.crash_driver import run

MODEL = "toys"
ROWS = 200
WINDOW = Window(aggregate="mean", source="outcomes", column="label", by=("owner",), range_ms=7_200_000)


def main(folder: Path) -> None:
    """Fill a folder with a ledger (one incident from event to lesson), a registry and a lake."""
    # Made elsewhere: tables and ledger remember where they were written, and that is nobody's business.
    with tempfile.TemporaryDirectory() as place:
        made = Path(place)
        digest = make_bundle(made / "bundles" / "registry", model=MODEL, windows=(WINDOW,))
        lake = Lake(made / "lake")
        lake.append(MODEL, PREDICTIONS, _rows(PREDICTIONS, digest), {f"{MODEL}.predictions/0": ROWS})
        lake.append(MODEL, OUTCOMES, _rows(OUTCOMES, digest), {f"{MODEL}.outcomes/0": ROWS})
        asyncio.run(run(made / "control", "once"))
        shutil.copytree(made / "bundles" / "registry", folder / "registry")
        shutil.copytree(made / "lake", folder / "lake")
        shutil.copy(made / "control" / "ledger.sqlite", folder / "ledger.sqlite")


def _rows(table: str, digest: str) -> pa.Table:
    rng = np.random.default_rng(0)
    times = [START_MS + index * 60_000 for index in range(ROWS)]
    columns: dict[str, list[object]] = {
        "id": [f"r{index}" for index in range(ROWS)],
        "partition": [0] * ROWS,
        "offset": list(range(ROWS)),
        "time_ms": times,
        **rows_of(ROWS),
        "windows": [[(WINDOW.name, 0.5)]] * ROWS,
        "score": rng.random(ROWS).tolist(),
        "digest": [digest] * ROWS,
        "generation": [1] * ROWS,
        "route": ["champion"] * ROWS,
        "flags": [[]] * ROWS,
        "shadows": [[]] * ROWS,
    }
    if table == OUTCOMES:
        labels = rng.integers(0, 2, ROWS).astype(float).tolist()
        columns |= {"label": labels, "known_ms": [time + 600_000 for time in times], "revision": [0] * ROWS}
    return pa.table(columns, schema=table_schema(SCHEMA, table))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
