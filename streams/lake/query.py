"""The door to DuckDB: one statement over Arrow tables, in memory, with no way out."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from streams.contracts.errors import LakeError

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def run(sql: str, tables: Mapping[str, pa.Table], *, threads: int = 1, memory_mb: int = 4_096) -> pa.Table:
    """Run `sql` over `tables`, each seen under its name, and return the result.

    The connection is new, in memory, on `threads` threads and at most `memory_mb` MiB; it can neither read nor write files,
    reach the network, load extensions or see the caller's variables.

    Raises:
        LakeError: DuckDB refused the statement, or it needs more memory.
    """
    settings = {**_SETTINGS, "threads": threads, "memory_limit": f"{memory_mb}MiB"}
    try:
        with duckdb.connect(":memory:", config=settings) as connection:
            for name, table in tables.items():
                connection.register(name, table)
            connection.execute("SET lock_configuration = true")
            return connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        # Its kind alone: the rest may repeat values of the rows, and is shown by no traceback but that of a skill's own log.
        raise LakeError(f"DuckDB: {str(error).partition(':')[0][:100]}") from None
