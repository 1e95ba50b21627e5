"""Bundles that score beside the champion of one partition and never keep it waiting for longer than they may."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from streams.inference.session import Scorer
from streams.serving.rows import Batch

logger = structlog.get_logger(__name__)

Scores = NDArray[np.float64]


class Found(NamedTuple):
    """Scores [rows] by digest, of the bundles that could score; how many failed; and why all of them were left out, if they were.

    `dropped` is empty, `late` (they took too long), `busy` (an earlier batch still occupies them) or `lag` (the stage is behind
    and has better things to do).
    """

    scores: dict[str, Scores]
    failed: int = 0
    dropped: str = ""


class Shadows:
    """One thread in which the shadows of one partition score, one batch at a time. Used by one caller at a time.

    Args:
        patience_s: how long `found` waits; None for as long as it takes, in the caller's own thread: a replay leaves nothing out.
    """

    def __init__(self, patience_s: float | None) -> None:
        self._patience_s = patience_s
        self._thread: ThreadPoolExecutor | None = None
        self._asked: Future[Found] = _answered(Found({}))

    def ask(self, scorers: Sequence[Scorer], batch: Batch, *, is_lagging: bool = False) -> Future[Found]:
        """Begin to score a batch; the answer is for `found`."""
        if not scorers:
            return _answered(Found({}))
        if self._patience_s is None:
            return _answered(_score(scorers, batch))
        if is_lagging:
            return _answered(Found({}, dropped="lag"))
        if not self._asked.done():
            return _answered(Found({}, dropped="busy"))
        self._thread = self._thread or ThreadPoolExecutor(1, "driftwake-shadows")
        self._asked = self._thread.submit(_score, scorers, batch)
        return self._asked

    def found(self, asked: Future[Found]) -> Found:
        """Return what was found within the time that the champion may be kept waiting."""
        try:
            return asked.result(self._patience_s)
        except concurrent.futures.TimeoutError:
            return Found({}, dropped="late")

    def close(self) -> None:
        """End the thread, after the batch it is at."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None


def _score(scorers: Sequence[Scorer], batch: Batch) -> Found:
    scores: dict[str, Scores] = {}
    for scorer in scorers:
        try:
            scores[scorer.digest] = scorer.score(batch.columns, batch.windows, batch.times).astype(np.float64)
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises: a shadow is never worth the champion's answer
            logger.warning("ShadowFailed", digest=scorer.digest, rows=len(batch.times), error=str(error)[:300])
    return Found(scores, failed=len(scorers) - len(scores))


def _answered(found: Found) -> Future[Found]:
    future: Future[Found] = Future()
    future.set_result(found)
    return future
