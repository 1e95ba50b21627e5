"""Reading a recorded log by its column roles: everything that is wrong with it is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from daemon.errors import LogRefusedError
from daemon.replay.config import LogConfig
from daemon.replay.log import Log
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.summaries import ANSWERED, RECEIVED

Floats = NDArray[np.float64]


def read_log(file: Path, roles: LogConfig, schema: ModelSchema) -> Log:
    """Read a parquet file by the config's roles.

    Raises:
        LogRefusedError: it can't be read, columns are missing, or values make no sense.
    """
    table, findings = _columns_of(file, roles, schema, [roles.label, roles.label_time]), list[str]()
    requests = _requests(table, roles, schema, findings)
    time_ms, ids = requests["time_ms"].to_numpy(), requests["id"].to_numpy()
    known_ms = _times(table[roles.label_time], roles.label_time, findings)
    label = _numbers(table[roles.label], roles.label, findings)
    findings += _wrong_requests(requests)
    findings += _wrong_labels(time_ms, known_ms, label, schema)
    if findings:
        raise LogRefusedError(file, findings)
    is_known = np.isfinite(known_ms) & np.isfinite(label)
    labels = pd.DataFrame({"id": ids[is_known], "time_ms": known_ms[is_known].astype(np.int64), "label": label[is_known]})
    return Log(_ordered(requests.astype({"time_ms": np.int64})), _ordered(labels))


def read_requests(file: Path, roles: LogConfig, schema: ModelSchema) -> pd.DataFrame:
    """Read the requests of a log alone (as in `Log`), whether or not it has labels.

    Raises:
        LogRefusedError: it can't be read, columns are missing, or values make no sense.
    """
    table, findings = _columns_of(file, roles, schema, []), list[str]()
    requests = _requests(table, roles, schema, findings)
    findings += _wrong_requests(requests)
    if findings:
        raise LogRefusedError(file, findings)
    return _ordered(requests.astype({"time_ms": np.int64}))


def read_sources(data: Path, files: Mapping[str, Path], roles: LogConfig, schema: ModelSchema) -> dict[str, pd.DataFrame]:
    """Read the records of all registered sources by name: `id`, `time_ms` and their columns, sorted by time.

    Raises:
        LogRefusedError: one can't be read, lacks columns, or has values that make no sense; or the log `data` lacks a source's
            file.
    """
    names = {source.name for source in schema.sources}
    findings = [f"the source {name} has no file: name it with --source {name}=FILE" for name in sorted(names - files.keys())]
    findings += [f"no source {name!r} is registered in the config" for name in sorted(files.keys() - names)]
    if findings:
        raise LogRefusedError(data, findings)
    by_time = LogConfig(time=roles.time)
    return {
        source.name: read_requests(files[source.name], by_time, ModelSchema(columns=source.columns)) for source in schema.sources
    }


def read_scores(file: Path, roles: LogConfig, name: str) -> pd.DataFrame:
    """Read what a model served elsewhere has answered: `id` and `score`, of the rows that have one.

    Args:
        file: a log that `read_log` reads.
        roles: its columns.
        name: of the column of scores.

    Raises:
        LogRefusedError: there is no such column, or it holds something else.
    """
    names = pq.read_schema(file).names
    if name not in names:
        raise LogRefusedError(file, [f"no column {name!r} (the log's score: name another with `log.score` of the model)"])
    findings: list[str] = []
    table = pd.read_parquet(file, columns=[name, *([roles.id] if roles.id else [])])
    scores = _numbers(table[name], name, findings)
    if findings:
        raise LogRefusedError(file, findings)
    is_known = np.isfinite(scores)
    return pd.DataFrame({"id": _ids(table, roles)[is_known], "score": scores[is_known]})


def read_stamps(file: Path, roles: LogConfig) -> pd.DataFrame:
    """Read when the broker got requests and predictions, as far as the roles name columns for it.

    Args:
        file: a log that `read_log` reads.
        roles: its columns.

    Returns:
        `id`, and of `RECEIVED` and `ANSWERED` those that are named, in milliseconds, NaN for null.

    Raises:
        LogRefusedError: there is no such column, or it holds something else.
    """
    named = {RECEIVED: roles.received, ANSWERED: roles.answered}
    given = {stamp: name for stamp, name in named.items() if name is not None}
    findings = [f"no column {name!r}{_role(roles, name)}" for name in given.values() if name not in pq.read_schema(file).names]
    if findings:
        raise LogRefusedError(file, findings)
    table = pd.read_parquet(file, columns=list(dict.fromkeys([*given.values(), *([roles.id] if roles.id else [])])))
    found = {stamp: _times(table[name], name, findings) for stamp, name in given.items()}
    if findings:
        raise LogRefusedError(file, findings)
    return pd.DataFrame({"id": _ids(table, roles), **found})


def _columns_of(file: Path, roles: LogConfig, schema: ModelSchema, further: list[str]) -> pd.DataFrame:
    try:
        names = pq.read_schema(file).names
    except (OSError, pa.ArrowException) as error:
        raise LogRefusedError(file, [f"it isn't a readable parquet file: {error}"]) from error
    wanted = dict.fromkeys([*([roles.id] if roles.id else []), roles.time, *further, *(column.name for column in schema.columns)])
    missing = [f"no column {name!r}{_role(roles, name)}" for name in wanted if name not in names]
    if missing:
        raise LogRefusedError(file, [*missing, f"it has: {', '.join(names)}"])
    return pd.read_parquet(file, columns=list(wanted))


def _requests(table: pd.DataFrame, roles: LogConfig, schema: ModelSchema, findings: list[str]) -> pd.DataFrame:
    """Requests in the file's order, times still as floats with NaN for null."""
    time_ms = _times(table[roles.time], roles.time, findings)
    columns = {column.name: _column(table[column.name], column, findings) for column in schema.columns}
    return pd.DataFrame({"id": _ids(table, roles), "time_ms": time_ms, **columns})


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["time_ms", "id"], kind="stable").reset_index(drop=True)


def _ids(table: pd.DataFrame, roles: LogConfig) -> NDArray[Any]:
    ids = table[roles.id].astype(str) if roles.id else pd.Series([f"row-{number}" for number in range(len(table))])
    return ids.to_numpy()


def _role(roles: LogConfig, name: str) -> str:
    role = next((role for role, given in roles.model_dump().items() if given == name), None)
    return f" (the log's {role}: name another with `log.{role}` of the model)" if role else " (declared in the model's schema)"


def _times(values: pd.Series, name: str, findings: list[str]) -> Floats:
    """Epoch ms as float64 [rows], NaN for null."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(np.float64, na_value=np.nan)
    try:
        moments = pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, TypeError, OverflowError) as error:
        findings.append(f"column {name!r}: neither timestamps nor epoch milliseconds ({str(error)[:100]})")
        return np.full(len(values), np.nan)
    found = moments.dt.as_unit("ms").astype("int64").to_numpy(np.float64)
    return np.where(moments.isna(), np.nan, found)


def _numbers(values: pd.Series, name: str, findings: list[str]) -> Floats:
    try:
        return pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        findings.append(f"column {name!r}: holds something that is no number")
        return np.full(len(values), np.nan)


def _column(values: pd.Series, column: Column, findings: list[str]) -> NDArray[Any]:
    if column.kind == "number":
        return _numbers(values, column.name, findings)
    return values.astype(object).where(values.isna(), values.astype(str)).where(values.notna(), None).to_numpy()


def _wrong_requests(requests: pd.DataFrame) -> Iterator[str]:
    if len(requests) == 0:
        yield "it has no rows"
        return
    ids = requests["id"]
    if (doubled := int(ids.duplicated().sum())) > 0:
        yield f"{doubled} ids stand there more than once, like {ids[ids.duplicated()].iloc[0]!r}: a label would have two requests"
    if (absent := int((~np.isfinite(requests["time_ms"])).sum())) > 0:
        yield f"{absent} rows have no time"


def _wrong_labels(time_ms: Floats, known_ms: Floats, label: Floats, schema: ModelSchema) -> Iterator[str]:
    if (early := int((known_ms < time_ms).sum())) > 0:
        yield f"{early} labels are known before their request: a replay would see the future"
    if (lost := int((np.isfinite(label) & ~np.isfinite(known_ms)).sum())) > 0:
        yield f"{lost} labels have no time of knowing: leave the label null, or say when it was known"
    if len(label) and not np.isfinite(label).any():
        yield "no row has a label"
    elif schema.task == "binary" and not np.isin(label[np.isfinite(label)], (0.0, 1.0)).all():
        yield "a binary task has labels 0 and 1 only"
