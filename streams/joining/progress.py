"""Live event time of the labels: nobody writes watermarks into a user's labels topic, so the join makes them."""

from __future__ import annotations

from streams.runtime.watermark import NEVER


class LabelProgress:
    """Watermarks for the partitions of labels, when no source writes them.

    A partition's watermark is the newest label time it has seen, less the allowed lateness, but never beyond that of the
    predictions: those are bounded against the broker's time, and one label from the far future must not end the world. A
    partition without labels for `idle_after_ms` follows the predictions. It never goes back.

    Args:
        partitions: number of label partitions.
        prediction_partitions: number of prediction partitions; before each has a watermark, labels have none.
        lateness_ms: how late a label may come without being behind the watermark.
        idle_after_ms: wall time after which a partition counts as idle.
    """

    def __init__(self, partitions: int, prediction_partitions: int, *, lateness_ms: int, idle_after_ms: int) -> None:
        self._lateness_ms = lateness_ms
        self._idle_after_s = idle_after_ms / 1_000
        self._predictions_ms = dict.fromkeys(range(prediction_partitions), NEVER)
        self._newest_ms = dict.fromkeys(range(partitions), NEVER)
        self._said_ms = dict.fromkeys(range(partitions), NEVER)
        self._active_at: dict[int, float] = {}

    def resume(self, partition: int, watermark_ms: int) -> None:
        """Go on from the watermark that a label partition had said before a restart."""
        self._said_ms[partition] = max(self._said_ms[partition], watermark_ms)

    def predictions_reached(self, partition: int, watermark_ms: int) -> None:
        """Note the watermark of a partition of predictions."""
        self._predictions_ms[partition] = max(self._predictions_ms[partition], watermark_ms)

    def observe(self, partition: int, newest_ms: int, now_s: float) -> None:
        """Note the newest label time of a micro-batch, and that the partition is active."""
        self._newest_ms[partition] = max(self._newest_ms[partition], newest_ms)
        self._active_at[partition] = now_s

    def due(self, partition: int, now_s: float) -> int | None:
        """Return the watermark that the partition should write now; None when it said so already."""
        limit_ms = min(self._predictions_ms.values())
        # Without any label so far a partition is idle from its start.
        is_active = now_s - self._active_at.get(partition, -self._idle_after_s) < self._idle_after_s
        watermark_ms = min(self._newest_ms[partition] - self._lateness_ms, limit_ms) if is_active else limit_ms
        if watermark_ms <= self._said_ms[partition]:
            return None
        self._said_ms[partition] = watermark_ms
        return watermark_ms
