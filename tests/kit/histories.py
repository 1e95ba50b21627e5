"""Logs of hours with a season and a wandering, in which nothing ever changes, and models that were trained on their beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skills import train_xgboost
from skills._kit.usual import Watch
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema

HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS
MODEL = "parcels"
# A Thursday at midnight in UTC.
START_MS = 20_006 * 24 * HOUR_MS
SKEW_MS = 60_000
BUCKET_MS = 3 * HOUR_MS
WATCH: Final[dict[str, Any]] = {
    "bucket_ms": BUCKET_MS,
    "detectors": ["inputs_quality", "feature_scores", "feature_shares", "score_scores", "loss_mean", "performance_auc"],
    "confirm_after": 2,
    "clear_after": 3,
    "alarm_rate": 2 / 240,
    "min_rows": 20,
}
_PERSISTENCE, _WIDTH = 0.8, 0.1


def schema_of(numbers: int) -> ModelSchema:
    """Some numbers and two categories."""
    columns = [Column(name=f"x{number}", kind="number") for number in range(numbers)]
    depots = (Column(name="depot", kind="category"), Column(name="colour", kind="category"))
    return ModelSchema(columns=(*columns, *depots))


def log_of(weeks: int, *, numbers: int = 2, rows: int = 20, seed: int = 0) -> pa.Table:
    """Draw a log: means of numbers move by hour and weekend and wander; the label follows the first; it is known in a day."""
    generator, hours = np.random.default_rng(seed), weeks * 168
    hour = np.arange(hours)
    season = 0.4 * np.sin(2 * np.pi * hour / 24)[:, None] + 0.2 * (hour // 24 % 7 >= 5)[:, None]
    wandering = np.zeros((hours, numbers))
    fresh = generator.normal(0, _WIDTH * np.sqrt(1 - _PERSISTENCE**2), (hours, numbers))
    for number in range(1, hours):
        wandering[number] = _PERSISTENCE * wandering[number - 1] + fresh[number]
    counts = generator.poisson(rows, hours)
    of = np.repeat(hour, counts)
    values = generator.normal(size=(len(of), numbers)) + (season + wandering)[of]
    time_ms = np.sort(START_MS + of * HOUR_MS + generator.integers(0, HOUR_MS, len(of)))
    depots = generator.choice(["a", "b", "c"], len(of), p=[0.6, 0.3, 0.1])
    columns: dict[str, Any] = {"id": [f"r{number:07d}" for number in range(len(of))], "time_ms": time_ms}
    columns |= {f"x{number}": values[:, number] for number in range(numbers)}
    columns |= {"depot": depots, "colour": generator.choice(["red", "blue"], len(of))}
    columns["label"] = (generator.random(len(of)) < 1 / (1 + np.exp(1 - 1.5 * values[:, 0]))).astype(float)
    columns["known_ms"] = time_ms + generator.integers(HOUR_MS, 24 * HOUR_MS, len(of))
    return pa.table(columns)


def between(log: pa.Table, begin: float, end: float) -> pa.Table:
    """Rows of some weeks."""
    time_ms = log.column("time_ms")
    inside = pc.and_(pc.greater_equal(time_ms, START_MS + int(begin * WEEK_MS)), pc.less(time_ms, START_MS + int(end * WEEK_MS)))
    return log.filter(inside)


def trained_on(
    table: pa.Table, folder: Path, schema: ModelSchema, windows: tuple[Window, ...] = (), watch: Watch | None = None
) -> str:
    """Train a small model and return its digest; the registry is the folder `registry`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "train.parquet"
    pq.write_table(table, file)
    asked = train_xgboost.Input(
        lake=str(folder / "lake"), registry=str(folder / "registry"), model=MODEL, train=str(file), schema=schema,
        skew_ms=SKEW_MS, windows=windows, parameters={"rounds": 20, "max_depth": 3}, watch=watch,
    )  # fmt: skip
    return train_xgboost.run(asked, folder / "training").digest
