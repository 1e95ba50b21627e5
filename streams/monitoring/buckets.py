"""Summaries that wait for the end of their bucket."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from streams.contracts.records import CHAMPION
from streams.contracts.summaries import InputSummary, LossSummary, Summary
from streams.runtime.watermark import NEVER

_Key = tuple[str, str, int]


class Bucket(NamedTuple):
    """All summaries of one closed bucket, by digest."""

    start_ms: int
    end_ms: int
    inputs: dict[str, list[InputSummary]]
    losses: dict[str, list[LossSummary]]


class Buckets:
    """Holds summaries until the watermark has passed their bucket. Repeated ones replace each other, so they count once.

    Only the champion's losses are held: shadows are judged by the daemon, not watched.

    Args:
        most: summaries held; beyond it the oldest buckets are left out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[tuple[int, int], dict[_Key, Summary]] = {}
        self._count = 0
        self.closed_ms = NEVER
        """End of the newest bucket that was closed; what belongs to it or before comes too late."""

    def add(self, summary: Summary) -> int:
        """Hold one; returns how many older summaries were left out to make room."""
        if summary.bucket_end_ms <= max(self.closed_ms, summary.bucket_start_ms):
            return 0
        if isinstance(summary, InputSummary):
            key = ("inputs", summary.digest, summary.partition)
        elif summary.slot == CHAMPION:
            key = ("losses", summary.digest, summary.partition)
        else:
            return 0
        bucket = self._held.setdefault((summary.bucket_end_ms, summary.bucket_start_ms), {})
        self._count += key not in bucket
        bucket[key] = summary
        return self._shed()

    def due(self, watermark_ms: int) -> list[Bucket]:
        """Take out the buckets that end at or before the watermark, in order of event time."""
        ends = sorted(key for key in self._held if key[0] <= watermark_ms)
        self.closed_ms = max(self.closed_ms, watermark_ms)
        return [self._bucket(key) for key in ends]

    def __len__(self) -> int:
        return self._count

    def _bucket(self, key: tuple[int, int]) -> Bucket:
        summaries = self._held.pop(key)
        self._count -= len(summaries)
        inputs: dict[str, list[InputSummary]] = defaultdict(list)
        losses: dict[str, list[LossSummary]] = defaultdict(list)
        for summary in summaries.values():
            if isinstance(summary, InputSummary):
                inputs[summary.digest].append(summary)
            else:
                losses[summary.digest].append(summary)
        return Bucket(key[1], key[0], dict(inputs), dict(losses))

    def _shed(self) -> int:
        shed = 0
        while self._count > self._most:
            oldest = self._held.pop(min(self._held))
            self._count -= len(oldest)
            shed += len(oldest)
        return shed
