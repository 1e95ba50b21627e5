"""A made-up stream of orders with a known truth: what the label depends on is planted, everything else is noise."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.features import Facts
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema, Task
from streams.lake.lake import Lake
from streams.lake.tables import table_schema

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SKEW_MS = 60_000
MODEL = "shops"
SCHEMA = ModelSchema(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="weight", kind="number"),
        Column(name="shop", kind="category"),
        Column(name="colour", kind="category"),
        Column(name="buyer", kind="category", role="key"),
        Column(name="email", kind="category", role="feature", tags=("pii",), protect="keep", granted=True),
    )
)
BURSTS = Window(aggregate="count", source="requests", by=("shop",), range_ms=2 * HOUR_MS)


class Orders(NamedTuple):
    """Rows in order of time: the schema's columns, `id`, `time_ms`, `known_ms`, `label`."""

    schema: ModelSchema
    table: pa.Table

    @property
    def facts(self) -> Facts:
        """All rows as facts."""
        names = [column.name for column in self.schema.columns]
        requests, outcomes = self.table.select(["time_ms", *names]), self.table.select(["known_ms", *names, "label"])
        return Facts(self.schema, {"requests": requests, "outcomes": outcomes}, SKEW_MS)

    @property
    def end_ms(self) -> int:
        """Just after the last row."""
        return int(self.table.column("time_ms").to_numpy().max()) + 1


def orders(rows: int, seed: int, *, planted: Window | None = None, strength: float = 1.2, task: Task = "binary") -> Orders:
    """Make orders over about 20 days whose label depends on `amount` and, when given, on a planted window over requests."""
    rng = np.random.default_rng(seed)
    shop, time_ms = _arrivals(rows, rng)
    amount, weight = rng.normal(size=rows), rng.gamma(2.0, size=rows)
    weight[rng.random(rows) < 0.03] = np.nan
    columns = {
        "id": [f"o{index:06d}" for index in range(rows)],
        "time_ms": time_ms,
        "amount": amount,
        "weight": pa.array(weight, from_pandas=True),
        "shop": [f"s{value}" for value in shop],
        "colour": rng.choice(["red", "green", "blue"], rows).tolist(),
        "buyer": [f"b{value}" for value in rng.integers(0, rows // 6, rows)],
        "email": [f"{index % 97}@example.org" for index in range(rows)],
    }
    effect = np.zeros(rows)
    if planted is not None:
        bare = pa.table(columns)
        names = [column.name for column in SCHEMA.columns]
        value = Facts(SCHEMA, {"requests": bare.select(["time_ms", *names])}, SKEW_MS).columns([planted], bare)[:, 0]
        effect = strength * np.nan_to_num((value - np.nanmean(value)) / np.nanstd(value))
    signal = 0.6 * amount + effect
    columns["label"] = (
        (rng.random(rows) < 1 / (1 + np.exp(1.0 - signal))).astype(float) if task == "binary" else signal + rng.normal(size=rows)
    )
    columns["known_ms"] = time_ms + rng.integers(HOUR_MS // 2, 3 * HOUR_MS, rows)
    schema = ModelSchema(columns=SCHEMA.columns, task=task)
    return Orders(schema, pa.table(columns))


def _arrivals(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shops have busy and quiet stretches of two hours: counts differ, and differ over time."""
    stretches, shops = 240, 12
    rate = rng.gamma(0.7, size=(stretches, shops)) + 0.05
    cell = rng.choice(stretches * shops, size=rows, p=(rate / rate.sum()).ravel())
    start, shop = np.divmod(cell, shops)
    time_ms = DAY_MS * 30 + start * 2 * HOUR_MS + rng.integers(0, 2 * HOUR_MS, rows)
    order = np.argsort(time_ms, kind="stable")
    return shop[order], time_ms[order].astype(np.int64)


def renamed(given: Orders) -> tuple[Orders, dict[str, str]]:
    """Rename every column and turn their order round; return the mapping from new names to old ones."""
    names = {column.name: f"zz_{place}" for place, column in enumerate(given.schema.columns)}
    columns = tuple(
        Column(
            name=names[column.name],
            kind=column.kind,
            role=column.role,
            tags=column.tags,
            protect=column.protect,
            granted=column.granted,
        )
        for column in reversed(given.schema.columns)
    )
    table = given.table.rename_columns([names.get(name, name) for name in given.table.column_names])
    table = table.select(list(reversed(table.column_names)))
    return Orders(ModelSchema(columns=columns, task=given.schema.task), table), {new: old for old, new in names.items()}


def into_lake(given: Orders, root: Path | str) -> Lake:
    """Import the rows as history of the model `MODEL`."""
    lake = Lake(root)
    lake.import_history(MODEL, given.schema, given.table, "made-up")
    return lake


Shadow = tuple[str, str, np.ndarray]


def serve(
    given: Orders,
    root: Path,
    scores: np.ndarray,
    digest: str | list[str],
    *,
    shadow: Shadow | None = None,
    **changed: list[object],
) -> Lake:
    """Append the rows as served by `digest`, with a shadow (name, digest, scores) when given; `changed` replaces columns."""
    lake, table, rows = Lake(root), given.table, given.table.num_rows
    empty: list[object] = [[] for _ in range(rows)]
    shadows = empty
    if shadow is not None:
        shadows = [[{"name": shadow[0], "digest": shadow[1], "score": float(value)}] for value in shadow[2]]
    filled: dict[str, object] = {name: table.column(name) for name in table.column_names}
    filled |= {"partition": [0] * rows, "offset": list(range(rows)), "windows": empty, "flags": empty, "generation": [1] * rows}
    filled |= {
        "route": ["champion"] * rows,
        "score": scores,
        "digest": [digest] * rows if isinstance(digest, str) else digest,
        "shadows": shadows,
    }
    filled |= {"revision": [0] * rows, **changed}
    for name in ("predictions", "outcomes"):
        schema = table_schema(given.schema, name)
        part = pa.table({field.name: filled[field.name] for field in schema}, schema=schema)
        lake.append(MODEL, name, part, {"orders/0": rows})
    return lake
