"""How good a bundle is now beside what it was validated with."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.frames import floats
from skills._kit.metrics import measured, metric_name
from streams.inference.session import Scorer

LEAST_ROWS = 50


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Quality, higher is better (errors have a minus): as validated, and recently with its 95 % interval."""

    metric: str
    reference: float | None
    recent: float | None
    low: float | None
    high: float | None

    @property
    def drop(self) -> float:
        """How far the recent interval lies below the reference, 0 when it doesn't or nobody knows."""
        return 0.0 if self.reference is None or self.high is None else max(0.0, self.reference - self.high)


def performance_of(scorer: Scorer, rows: pa.Table, seed: int) -> Performance:
    """Measure a bundle on labelled rows that it has scored; below `LEAST_ROWS` nothing is said of now."""
    task = scorer.manifest.schema.task
    name, sign = (metric_name(task), 1.0) if task == "binary" else (f"negative_{metric_name(task)}", -1.0)
    validated = scorer.manifest.metrics.get(metric_name(task))
    reference = sign * validated.value if validated is not None else None
    if rows.num_rows < LEAST_ROWS:
        return Performance(metric=name, reference=reference, recent=None, low=None, high=None)
    found = measured(task, floats(rows, "label"), floats(rows, "score"), seed)
    numbers: list[Any] = [sign * value if np.isfinite(value) else None for value in (found.value, found.low, found.high)]
    low, high = numbers[1:] if sign > 0 else reversed(numbers[1:])
    return Performance(metric=name, reference=reference, recent=numbers[0], low=low, high=high)
