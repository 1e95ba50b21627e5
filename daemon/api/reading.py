"""Reading the ledger for callers: in threads, so that no question stops the loop, and only so many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, TypeVar

from daemon.api.problems import Problem
from daemon.ledger.ledger import Ledger

Answer = TypeVar("Answer")

AT_ONCE: Final = 4
MOST_WAITING: Final = 32


class ReadingRoom:
    """A ledger that is only read, and those who read in it.

    Args:
        ledger: opened for reading; the daemon's own writes go through another connection.
        at_once: questions that are read at the same time.
        most: questions that read or wait; who comes then is told to come back.
    """

    def __init__(self, ledger: Ledger, at_once: int = AT_ONCE, most: int = AT_ONCE + MOST_WAITING) -> None:
        self._ledger = ledger
        self._most = most
        self._inside = 0
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="reading")

    async def ask(self, question: Callable[[Ledger], Answer]) -> Answer:
        """Read an answer.

        Raises:
            Problem: too many wait already (503).
        """
        if self._inside >= self._most:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many questions wait; come back", {"retry-after": "1"})
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question, self._ledger)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Let those who read end, and nobody else in."""
        self._threads.shutdown(wait=True, cancel_futures=True)
