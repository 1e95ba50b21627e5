"""Rows that come in by a file rather than by a topic, protected as serving protects requests."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from skills._kit.errors import InputError
from skills._kit.frames import column_of
from streams.contracts.errors import ConfigError
from streams.contracts.schema import ModelSchema
from streams.runtime.protection import Protection, read_key


def protected(rows: pa.Table, schema: ModelSchema, key_file: str | None) -> pa.Table:
    """Return the rows with their columns hashed or dropped as the schema says.

    Args:
        rows: with the declared columns, as they came.
        schema: the model's columns.
        key_file: of the key that columns are hashed with; its path alone, for arguments are kept.

    Raises:
        InputError: a tagged column doesn't say what becomes of it, or there is no key.
    """
    unsaid = [column.name for column in schema.columns if column.tags and column.protect is None]
    if unsaid:
        raise InputError(f"schema: {', '.join(unsaid)} is tagged; say with `protect` whether to keep, hash or drop it")
    if not schema.protected:
        return rows
    if key_file is None:
        raise InputError(f"key_file: {schema.protected[0].name} is protected; name the file of the installation's key")
    try:
        protection = Protection(schema, read_key(Path(key_file)))
    except ConfigError as error:
        raise InputError(str(error)) from error
    for column in schema.protected:
        values = column_of(rows, column.name)
        found = pa.nulls(rows.num_rows, values.type)
        if column.protect == "hash":
            found = pa.array(protection.texts(values.cast(pa.string()).to_pylist()), pa.string())
        rows = rows.set_column(rows.column_names.index(column.name), column.name, found)
    return rows
