"""What Delta's app transactions say of a table: how far its sources were read, and other numbers kept with its rows.

Delta can't list the transactions of a table, so each commit of ours also names all that there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from streams.contracts.errors import LakeError

_NAMES: Final = "driftwake_transactions"
_NEAR: Final = 100


class Known(NamedTuple):
    """The names of all app transactions of a table, and the version whose commit says so."""

    version: int
    names: list[str]


def known(handle: DeltaTable) -> Known:
    """Read the newest commit that names transactions: compactions, vacuums and other tools' commits don't.

    Raises:
        LakeError: none does, and there were older ones, which are gone.
    """
    commits: list[dict[str, Any]] = []
    for limit in (1, _NEAR, None):
        commits = handle.history(limit)
        for commit in commits:
            if _NAMES in commit:
                return Known(int(commit["version"]), list(json.loads(commit[_NAMES])))
    if len(commits) <= handle.version():
        raise LakeError("its log no longer says up to where its sources were read: another tool has cleaned it up")
    return Known(0, [])


def transactions(handle: DeltaTable, prefix: str) -> dict[str, int]:
    """Return the numbers of all transactions whose names begin with `prefix`, by the rest of the name.

    Raises:
        LakeError: the log doesn't say any more which there are.
    """
    names = [name for name in known(handle).names if name.startswith(prefix)]
    numbers = {name.removeprefix(prefix): handle.transaction_version(name) for name in names}
    return {name: number for name, number in numbers.items() if number is not None}


def commit(handle: DeltaTable, rows: pa.Table, numbers: Mapping[str, int]) -> int:
    """Append rows and set transactions in one commit, which fails when someone else commits meanwhile; return its version."""
    names = sorted({*known(handle).names, *numbers})
    properties = CommitProperties(
        custom_metadata={_NAMES: json.dumps(names)},
        app_transactions=[Transaction(name, number) for name, number in numbers.items()],
        max_commit_retries=0,
    )
    write_deltalake(handle, rows, mode="append", commit_properties=properties)
    return handle.version()
