"""Data of one's own: any parquet file, with the roles of its columns as the scenario file declares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype
from pydantic import Field, model_validator

from streams.contracts.errors import StreamsError
from streams.contracts.schema import Column, Kind, ModelSchema, Role, Task
from streams.runtime.config import Section
from streams.runtime.durations import Duration
from tests.bench.closed_loop.data.base import DataSet, Group, Metric, assembled, categories, numbered
from tests.bench.closed_loop.rows import DAY_MS


class ColumnRole(Section):
    """A column of the requests."""

    name: str
    kind: Kind
    role: Role = "feature"


class FileRoles(Section):
    """What the columns of a file are."""

    time: str
    """When a row is asked: a timestamp (without a zone it is UTC) or epoch milliseconds."""

    label: str
    """The truth; rows where it is missing have none."""

    id: str | None = None
    """Unique; null numbers the rows."""

    known: str | None = None
    """When the label is known, like `time`; null with `label_after`."""

    label_after: Duration | None = None
    """How long after the row its label is known, where no column says so."""

    amount: str | None = None
    """One of `columns`: what is lost with a positive row that nobody looked at; null where costs aren't counted so."""

    columns: tuple[ColumnRole, ...] = Field(min_length=1)
    task: Task = "binary"
    metric: Metric = "auc"
    group: Group = "week"
    zone: str = "UTC"
    skew: Duration = Duration.of("1h")

    @model_validator(mode="after")
    def _has_amount(self) -> Self:
        if self.amount is not None and self.amount not in {one.name for one in self.columns if one.kind == "number"}:
            raise ValueError(f"amount: {self.amount} is no number among the columns")
        return self


def load_file(file: Path, roles: FileRoles) -> DataSet:
    """Read a file; day 0 is the day (UTC) of its first row.

    Raises:
        StreamsError: the file can't be read, lacks a column, has an unreadable time, or doesn't say when labels are known.
        ValueError: the rows aren't a table of rows; the message says why.
    """
    if (roles.known is None) == (roles.label_after is None):
        raise StreamsError(f"{file}: say when labels are known, by exactly one of `known` and `label_after`")
    schema = ModelSchema(
        columns=tuple(Column(name=one.name, kind=one.kind, role=one.role) for one in roles.columns), task=roles.task
    )
    table = _table(file, roles)
    time_ms = _times(table[roles.time], file)
    if time_ms.isna().any():
        raise StreamsError(f"{file}: column {roles.time!r} is empty in some rows; every row needs a time")
    known_ms = time_ms + roles.label_after.ms if roles.label_after is not None else _times(table[str(roles.known)], file)
    kinds = {column.name: column.kind for column in schema.columns}
    content = {
        "id": numbered(len(table)) if roles.id is None else categories(table[roles.id]),
        "time_ms": time_ms.astype("int64"),
        **{name: table[name] if kind == "number" else categories(table[name]) for name, kind in kinds.items()},
        "label": table[roles.label],
        "known_ms": known_ms.where(table[roles.label].notna()),
    }
    rows = assembled(content, schema)
    epoch_ms = int(rows["time_ms"].iloc[0]) // DAY_MS * DAY_MS
    made = DataSet(file.stem, schema, rows, epoch_ms, (), (), roles.skew.ms, roles.metric, roles.group, roles.zone)
    return made._replace(amount=roles.amount)


def _table(file: Path, roles: FileRoles) -> pd.DataFrame:
    named = [roles.time, roles.label, roles.id, roles.known, *(one.name for one in roles.columns)]
    try:
        present = pq.read_schema(file).names
        missing = sorted({name for name in named if name is not None} - set(present))
        if not missing:
            return pd.read_parquet(file, columns=list(dict.fromkeys(name for name in named if name is not None)))
    except (OSError, ValueError) as error:
        raise StreamsError(f"{file}: {error}; give a parquet file that this process can read") from error
    raise StreamsError(f"{file}: there is no column {', '.join(missing)}; there are {', '.join(present)}")


def _times(values: pd.Series[Any], file: Path) -> pd.Series[float]:
    """Return epoch milliseconds as float64, NaN where there is no time."""
    if is_numeric_dtype(values):
        return values.astype("float64")
    try:
        times = pd.to_datetime(values, utc=True)
    except (ValueError, TypeError) as error:
        raise StreamsError(f"{file}: column {values.name!r} holds no times: {error}") from error
    known = times.notna()
    milliseconds = times.dt.tz_localize(None).astype("datetime64[ms]").astype("int64").astype("float64")
    return milliseconds.where(known, np.nan)
