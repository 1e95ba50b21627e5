"""Rows for the lake's tables, and tables of many small commits."""

from __future__ import annotations

import pyarrow as pa

from streams.contracts.schema import Column, ModelSchema
from streams.lake.lake import Lake
from streams.lake.tables import table_schema

DAY = 86_400_000
MODEL = "m"
SCHEMA = ModelSchema(columns=(Column(name="place", kind="category"), Column(name="size", kind="number")))


def predictions(*times: int, digest: str = "d") -> pa.Table:
    count = len(times)
    return pa.table(
        {
            "id": [f"r{time}" for time in times],
            "partition": [0] * count,
            "offset": list(range(count)),
            "time_ms": list(times),
            "place": ["a"] * count,
            "size": [1.5] * count,
            "windows": [[("w_1", 0.5), ("w_2", None)]] * count,
            "score": [0.25] * count,
            "digest": [digest] * count,
            "generation": [1] * count,
            "route": ["champion"] * count,
            "flags": [["late"]] * count,
            "shadows": [[{"name": "next", "digest": "e", "score": 0.75}]] * count,
        },
        schema=table_schema(SCHEMA, "predictions"),
    )


def outcomes(*known: int) -> pa.Table:
    labelled = {"label": [1.0] * len(known), "known_ms": list(known), "revision": [0] * len(known)}
    rows = predictions(*(time - 5 for time in known)).to_pydict()
    return pa.table({**rows, **labelled}, schema=table_schema(SCHEMA, "outcomes"))


def many_commits(lake: Lake, days: int, commits: int, table: str = "predictions") -> int:
    """Store two rows of each day in each of many commits, none in order; return the newest version."""
    rows, version = {"predictions": predictions, "outcomes": outcomes}[table], 0
    before = sum(lake.positions(MODEL, table).values())
    for number in range(before, before + commits):
        times = [day * DAY + (number * 7_919 + step * 13) % DAY for day in range(days) for step in (2, 1)]
        version = lake.append(MODEL, table, rows(*times), {"t/0": number + 1}, {"t/0/source": number * 1_000})
    return version
