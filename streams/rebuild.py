"""The process that rebuilds the windows of a model: `python -m streams.rebuild`, asked as `streams/serving/elsewhere.py` says.

It ends with its standard input: who asked is gone then.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import uvloop

from streams.contracts.errors import BackfillError, StreamsError
from streams.lake.lake import Lake
from streams.runtime.memory import few_arenas
from streams.serving.elsewhere import Question
from streams.serving.history import lake_history, no_history
from streams.serving.rebuilding import Followers, rebuilt
from streams.serving.remembering import SnapshotFile
from streams.transport.follower import Follower

_SHARE = 1 / 5
_LOOKBACK = 2_048
"""Offsets before the archived ones that are read again, to see which request was archived last. What the one who asked has
answered since it asked may be archived by now; an idle partition has two offsets a second, a watermark and its transaction's."""


async def answer(question: Question, said: int) -> None:
    """Rebuild, and leave the snapshot; shares go to the file descriptor `said`, a line each.

    Raises:
        StreamsError: the lake or the log can't be read.
        OSError: the snapshot can't be written, or nobody reads the shares any more.
    """
    model = question.model
    history = no_history if question.lake is None else lake_history(Lake(question.lake), model.name, model.schema)

    def follow(topics: Sequence[str], start: Mapping[str, int]) -> Followers:
        return tuple(Follower(question.bootstrap, [topic], start=start) for topic in topics)

    async def progress(share: float) -> None:
        tell(said, share)

    reader = await rebuilt(
        model, question.wanted, follow=follow, history=history, lookback=_LOOKBACK, progress=progress, rest=Pace(_SHARE).rest
    )
    for follower in reader.followers:
        await follower.stop()
    kept = reader.feed.kept()
    if kept is None:
        raise BackfillError("some facts couldn't be folded")
    SnapshotFile(Path(question.path), model.schema, model.skew_ms).write(kept)


class Pace:
    """Rests so long that this process takes only a share of all processors, where many must answer at the same time.

    Less urgent isn't enough: two busy processors slow each other down, whoever goes first on each.

    Args:
        share: of all processors, above 0.
    """

    def __init__(self, share: float) -> None:
        self._most = share * (os.cpu_count() or 1)
        self._used_s = time.process_time()

    async def rest(self) -> None:
        """Wait as long as what was used since the last time asks for."""
        used_s = time.process_time() - self._used_s
        await asyncio.sleep(max(used_s / self._most - used_s, 0.0))
        self._used_s = time.process_time()


def tell(said: int, what: Any) -> None:
    """Write a line of JSON."""
    os.write(said, msgspec.json.encode(what) + b"\n")


def _end_with_input() -> None:
    # Not by the buffer: its lock, held by a thread that waits, makes the interpreter's own end fail.
    while os.read(sys.stdin.fileno(), 1_024):
        continue
    os._exit(1)


def main() -> None:
    """Answer the question on standard input, with status 0, or 1 and a reason."""
    few_arenas()
    pa.set_cpu_count(1)
    # What libraries print must not look like an answer.
    said = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=Question)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(answer(question, said))
    except StreamsError as error:
        tell(said, str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
