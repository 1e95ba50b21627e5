"""Live event time: every partition says how far it has come, and an idle one doesn't hold the others back."""

from __future__ import annotations

from collections.abc import Iterable

from streams.runtime.watermark import NEVER


class Progress:
    """Watermarks that serving makes itself, when no source does.

    A partition's watermark is the newest event time it has seen, less the allowed lateness. A partition without requests for
    `idle_after_ms` follows the slowest of the active ones; when all are idle, event time stands still. It never goes back.

    Args:
        partitions: the numbers of all, whoever answers them.
        lateness_ms: how late a request may come without being behind the watermark.
        idle_after_ms: wall time after which a partition counts as idle.
        every_ms: wall time between two watermarks of one partition.
    """

    def __init__(self, partitions: Iterable[int], *, lateness_ms: int, idle_after_ms: int, every_ms: int) -> None:
        self._lateness_ms = lateness_ms
        self._idle_after_s = idle_after_ms / 1_000
        self._every_s = every_ms / 1_000
        self._own_ms = dict.fromkeys(partitions, NEVER)
        self._said_ms = dict(self._own_ms)
        self._active_at: dict[int, float] = {}
        self._said_at: dict[int, float] = {}

    def resume(self, partition: int, watermark_ms: int) -> None:
        """Go on from the watermark that the partition had said before a restart."""
        self._said_ms[partition] = max(self._said_ms[partition], watermark_ms)

    def observe(self, partition: int, newest_ms: int, now_s: float) -> None:
        """Note the newest event time of a micro-batch, and that the partition is active."""
        self._own_ms[partition] = max(self._own_ms[partition], newest_ms - self._lateness_ms)
        self._active_at[partition] = now_s

    def hear(self, partition: int, watermark_ms: int, now_s: float) -> None:
        """Note how far a partition has come that another process answers; who gets on is active."""
        if watermark_ms > self._own_ms[partition]:
            self._own_ms[partition] = watermark_ms
            self._active_at[partition] = now_s

    def due(self, partition: int, now_s: float) -> int | None:
        """Return the watermark that the partition should write now; None when it said so already or just spoke."""
        if now_s - self._said_at.get(partition, -self._every_s) < self._every_s:
            return None
        watermark_ms = self._current_ms(partition, now_s)
        if watermark_ms <= self._said_ms[partition]:
            return None
        self._said_at[partition] = now_s
        self._said_ms[partition] = watermark_ms
        return watermark_ms

    def _current_ms(self, partition: int, now_s: float) -> int:
        active = [other for other, at in self._active_at.items() if now_s - at < self._idle_after_s]
        if partition in active or not active:
            return self._own_ms[partition]
        return max(self._own_ms[partition], min(self._own_ms[other] for other in active))
