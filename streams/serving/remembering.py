"""What windows hold, in a file of this worker's own: after a restart only what came since has to be read again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from streams.contracts.errors import SnapshotError
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema
from streams.serving.own import Folded, OwnFacts
from streams.windows import snapshots
from streams.windows.online import Image, WindowState

logger = structlog.get_logger(__name__)


class Kept(NamedTuple):
    """What a feed is made of at a moment: nothing in it changes later.

    `positions` are the next offsets to fold, keyed `topic/partition`; `reached_ms` is the watermark before which all is in; `own`
    is what of the process's own partitions was folded, by partition, and `brought` the last request whose prediction the log had.
    """

    specs: Sequence[Window]
    image: Image
    positions: dict[str, int]
    reached_ms: int
    own: dict[int, list[Folded]]
    brought: dict[int, int]


class Remembered(NamedTuple):
    """What a feed goes on with; see `Kept`."""

    state: WindowState
    own: OwnFacts
    positions: dict[str, int]
    reached_ms: int
    brought: dict[int, int]


class _Note(msgspec.Struct):
    positions: dict[str, int]
    reached_ms: int
    own: dict[int, list[Folded]]
    brought: dict[int, int] = {}


class SnapshotFile:
    """The one file; writing replaces what was there.

    Args:
        path: where it lies.
        schema: the model's columns.
        skew_ms: its allowed skew.
    """

    def __init__(self, path: Path, schema: ModelSchema, skew_ms: int) -> None:
        self._path = path
        # A stage that stops writes once more, maybe while the thread of a write before is still at it.
        self._lock = threading.Lock()
        self._schema = schema
        self._skew_ms = skew_ms

    def write(self, kept: Kept) -> int:
        """Write, and return how many bytes there are now.

        Raises:
            OSError: it can't be written.
        """
        note = msgspec.msgpack.encode(_Note(kept.positions, kept.reached_ms, kept.own, kept.brought))
        identity = snapshots.identity(kept.specs, self._schema, self._skew_ms)
        with self._lock:
            snapshots.write(self._path, kept.image, identity, note)
            return self._path.stat().st_size

    def read(self, specs: Sequence[Window]) -> Remembered | None:
        """Return what was written for exactly these windows, in this order; None where there is nothing of use."""
        if not self._path.exists():
            return None
        try:
            state, note = snapshots.read(self._path, specs, self._schema, self._skew_ms)
            said = msgspec.msgpack.decode(note, type=_Note)
        except (SnapshotError, msgspec.MsgspecError) as error:
            logger.info("SnapshotUnusable", path=str(self._path), reason=str(error))
            return None
        return Remembered(state, OwnFacts(said.own), said.positions, said.reached_ms, said.brought)
