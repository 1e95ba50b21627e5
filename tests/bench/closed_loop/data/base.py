"""What a data set is, and the few steps that all of them need to become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_float_dtype

from streams.contracts.features import Expression, Window
from streams.contracts.schema import ModelSchema
from tests.bench.closed_loop.rows import Rows, check, sort

Metric = Literal["average_precision", "auc", "accuracy", "negative_rmse"]
Further = Literal["brier", "kappa_temporal"]
Group = Literal["week", "month", "all"]


class DataSet(NamedTuple):
    """A stream that scenarios are played on.

    `rows` are before any injection. `epoch_ms` is the start of day 0 (epoch milliseconds). `windows` and `expressions` are what
    the first champion has beside the schema's feature columns. `skew_ms` is how long before a row its facts must lie, if the
    scenario doesn't say otherwise. Quality is `metric`, averaged over the groups `group` by the calendar of `zone`.
    `further` measures are shown beside it; `kappa_temporal` says that labels are autocorrelated. `amount` is the column that is
    lost with a positive row that nobody looked at, and `worth` what it really was [rows], whatever broke the column.
    """

    name: str
    schema: ModelSchema
    rows: Rows
    epoch_ms: int
    windows: tuple[Window, ...]
    expressions: tuple[Expression, ...]
    skew_ms: int
    metric: Metric
    group: Group
    zone: str = "UTC"
    further: tuple[Further, ...] = ()
    amount: str | None = None
    worth: npt.NDArray[np.float64] | None = None


def milliseconds(times: pd.Series[Any]) -> pd.Series[int]:
    """Turn times without a zone, read as UTC, into epoch milliseconds (int64)."""
    return times.astype("datetime64[ms]").astype("int64")


def midnight_ms(day: str) -> int:
    """Return the epoch milliseconds of a day's first moment in UTC, for instance of `2018-04-01`."""
    return int(pd.Timestamp(day, tz="UTC").timestamp() * 1_000)


def categories(values: pd.Series[Any]) -> pd.Series[Any]:
    """Turn codes or texts into str, and what is missing into None. Codes that are floats lose their `.0`."""
    present = values.notna()
    codes = values.where(present, 0).astype("int64") if is_float_dtype(values) else values
    return codes.astype(str).astype(object).where(present, None)


def numbered(count: int, digits: int = 6) -> list[str]:
    """Return ids in the order of their numbers: 000000, 000001, ..."""
    return [f"{number:0{digits}d}" for number in range(count)]


def assembled(columns: Mapping[str, Any], schema: ModelSchema) -> Rows:
    """Make a table of rows from `id`, `time_ms`, the schema's columns, `label` and `known_ms`; what is told is the truth.

    Raises:
        ValueError: it isn't one; the message says why.
    """
    rows = pd.DataFrame(dict(columns))
    types = {column.name: "float64" if column.kind == "number" else "object" for column in schema.columns}
    rows = rows.astype(types | {"id": "object", "time_ms": "int64", "label": "float64", "known_ms": "float64"})
    return check(sort(rows.assign(told=rows["label"])), schema)
