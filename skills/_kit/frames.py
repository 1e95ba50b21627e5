"""Tables on disk and columns as arrays. Missing is null in a table and NaN in an array."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skills._kit.errors import InputError

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half_done = path.with_name(path.name + ".part")
    with half_done.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    half_done.replace(path)


def read_table(path: str | Path) -> pa.Table:
    """Read a parquet file.

    Raises:
        InputError: it isn't there or isn't parquet.
    """
    try:
        return pq.read_table(path, use_threads=False)
    except FileNotFoundError as error:
        raise InputError(f"table {path}: there is no such file") from error
    except (OSError, pa.ArrowException) as error:
        # Arrow's words may repeat a value; they are in the skill's own log.
        raise InputError(f"table {path} can't be read: it isn't a whole parquet file, or the file system failed") from error


def write_table(table: pa.Table, path: Path) -> str:
    """Write a parquet file; same table, same bytes. Return its SHA-256 in hex."""
    half_done = path.with_name(path.name + ".part")
    pq.write_table(table, half_done, compression="zstd", store_schema=False)
    half_done.replace(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def column_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column.

    Raises:
        InputError: the table has none of that name.
    """
    if name not in table.column_names:
        raise InputError(f"the table has no column {name!r}; it has {', '.join(table.column_names)}")
    return table.column(name)


def floats(table: pa.Table, name: str) -> Floats:
    """Return a numeric column as float64 [rows], null as NaN."""
    return column_of(table, name).cast(pa.float64()).fill_null(np.nan).to_numpy().astype(np.float64)


def integers(table: pa.Table, name: str) -> Integers:
    """Return a column without nulls as int64 [rows]."""
    return column_of(table, name).cast(pa.int64()).to_numpy().astype(np.int64)


def codes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[object]]:
    """Return (codes [rows], values): `values[code]` is the row's value, -1 stands for missing."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def pylist(table: pa.Table, name: str, kind: str) -> list[float | str | None]:
    """Return a column as the scorer takes it: floats or strings, None when missing."""
    wanted = pa.float64() if kind == "number" else pa.string()
    return column_of(table, name).cast(wanted).to_pylist()


def fingerprint(values: Floats | Integers) -> str:
    """Return a digest of an array's content, which doesn't depend on the column's name."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def time_blocks(time_ms: Integers, number: int) -> Integers:
    """Cut the span of time into `number` equal pieces; return each row's piece, 0 to number - 1."""
    if not len(time_ms):
        return np.zeros(0, dtype=np.int64)
    first, last = int(time_ms.min()), int(time_ms.max()) + 1
    return (time_ms - first) * number // (last - first)


def row_blocks(rows: int, number: int) -> Integers:
    """Cut rows, in order, into `number` pieces of equal size; return each row's piece."""
    return np.arange(rows, dtype=np.int64) * number // max(rows, 1)


def with_columns(table: pa.Table, names: Sequence[str], values: Sequence[Floats]) -> pa.Table:
    """Append float64 columns; NaN becomes null."""
    for name, column in zip(names, values, strict=True):
        table = table.append_column(name, pa.array(column, type=pa.float64(), from_pandas=True))
    return table
