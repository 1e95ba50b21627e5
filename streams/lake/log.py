"""A table's log: which versions it can still tell, and which of its commits and checkpoints may go.

Delta's own clean-up goes by age alone, so that no lineage would outlive it. A version is read from the newest checkpoint at or
before it and the commits behind that, so those stay for each version that is to be read.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from typing import Final, NamedTuple

import pyarrow.fs as pafs

from streams.contracts.errors import LakeError

_FOLDER: Final = "_delta_log"
_ENTRY: Final = re.compile(r"([0-9]{20})\.(json|checkpoint\.parquet)")
_COMMIT: Final = "json"


class _Entry(NamedTuple):
    path: str
    version: int
    kind: str
    written: dt.datetime


class TableLog:
    """The log as it is when this is made.

    Args:
        files: the table's folder.

    Raises:
        LakeError: another tool has written checkpoints of a form that isn't known here.
    """

    def __init__(self, files: pafs.FileSystem) -> None:
        self._files = files
        self._entries = [entry for info in files.get_file_info(pafs.FileSelector(_FOLDER)) if (entry := _entry(info))]
        self._commits = {entry.version for entry in self._entries if entry.kind == _COMMIT}
        self._checkpoints = {entry.version for entry in self._entries if entry.kind != _COMMIT}

    def tells(self, version: int) -> bool:
        """Say whether all is there that a version is read from."""
        base = self._base(version)
        begin = base + 1 if base in self._checkpoints else 0
        return self._commits.issuperset(range(begin, version + 1)) and version <= max(self._commits, default=-1)

    def trim(self, *, newest: int, spared: Collection[int], before: dt.datetime) -> int:
        """Delete commits and checkpoints from before a moment that no version of since then, and none that is spared, needs.

        Args:
            newest: from this version on everything stays.
            spared: older versions that stay readable.
            before: wall time; what was written since stays.

        Returns:
            How many files went.
        """
        commits = [entry for entry in self._entries if entry.kind == _COMMIT]
        young = min((entry.version for entry in commits if entry.written >= before), default=newest)
        floor = self._base(min(young, newest))
        spans = [(self._base(version), version) for version in spared]
        old = [
            entry
            for entry in self._entries
            if entry.version < floor and entry.written < before and not any(low <= entry.version <= high for low, high in spans)
        ]
        for entry in old:
            self._files.delete_file(entry.path)
        return len(old)

    def _base(self, version: int) -> int:
        """Return the checkpoint that a version is read from; 0 is the beginning of the log."""
        return max((one for one in self._checkpoints if one <= version), default=0)


def _entry(info: pafs.FileInfo) -> _Entry | None:
    found = _ENTRY.fullmatch(info.base_name)
    if found is None:
        if ".checkpoint." in info.base_name:
            raise LakeError(f"another tool has written a checkpoint that isn't known here ({info.base_name}): nothing is deleted")
        return None
    return _Entry(info.path, int(found[1]), found[2], dt.datetime.fromtimestamp(info.mtime_ns / 1e9, dt.UTC))
