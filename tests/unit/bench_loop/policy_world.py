"""A small world for policies: fraud's calendar, two columns, labels seven days late."""

from __future__ import annotations

import numpy as np
import pandas as pd

from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.policies.base import DAY_MS, Moment, World

HOUR_MS = 3_600_000
EPOCH_MS = 1_522_540_800_000
SCHEMA = ModelSchema(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="channel", kind="category"),
        Column(name="customer_id", kind="category", role="key"),
    )
)
COUNTS = Window(aggregate="count", source="requests", by=("customer_id",), range_ms=DAY_MS)


def day(number: float) -> int:
    return EPOCH_MS + round(number * DAY_MS)


def requests(rng: np.random.Generator, since_ms: int, until_ms: int, rows: int, **columns: object) -> pd.DataFrame:
    made = {
        "id": [f"r{since_ms}-{i:05d}" for i in range(rows)],
        "time_ms": np.sort(rng.integers(since_ms, until_ms, rows)),
        "amount": rng.normal(100.0, 20.0, rows),
        "channel": rng.choice(np.array(["web", "shop", "phone"], object), rows, p=[0.6, 0.3, 0.1]),
        "customer_id": rng.choice(np.array(["a", "b"], object), rows),
    }
    return pd.DataFrame(made | columns)


def matured(time_ms: list[int] | np.ndarray, label: object = 0.0, score: object = 0.1, known_ms: object = 0) -> pd.DataFrame:
    rows = {"id": [f"m{i:06d}" for i in range(len(time_ms))], "time_ms": time_ms}
    return pd.DataFrame(rows | {"known_ms": known_ms, "label": label, "score": score})


NO_REQUESTS = pd.DataFrame({"id": [], "time_ms": []})
NO_LABELS = pd.DataFrame({name: [] for name in ("id", "time_ms", "known_ms", "label", "score")})


def moment(time_ms: int, *, requests: pd.DataFrame = NO_REQUESTS, matured: pd.DataFrame = NO_LABELS) -> Moment:
    return Moment(time_ms, requests, matured)


def world(**changes: object) -> World:
    rows = requests(np.random.default_rng(1), day(28), day(63), 6_000)
    rows["label"] = (np.arange(len(rows)) % 100 == 0).astype("float64")
    made = World(
        schema=SCHEMA,
        windows=(COUNTS,),
        epoch_ms=EPOCH_MS,
        start_ms=day(70),
        label_delay_ms=7 * DAY_MS,
        champion_rows=rows,
    )
    return made._replace(**changes)
