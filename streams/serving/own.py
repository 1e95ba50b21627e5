"""Facts of the partitions that this process answers itself: folded at once, before they come back through the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streams.runtime.watermark import NEVER


class Folded(NamedTuple):
    """Requests of a partition that were folded: offsets [since, until], and whether the log has come to them."""

    since: int
    until: int
    is_met: bool


class _Run:
    """Requests of one partition that were folded one after the other: offsets [since, until]."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.until = since - 1
        self.heard_ms = NEVER
        # The log has brought everything that lies before the run.
        self.is_met = False


class OwnFacts:
    """Knows which requests were folded, so that their predictions are skipped when the log brings them.

    A batch whose transaction fails is read again and isn't folded again: its rows are the same.

    Args:
        folded: what was folded before this process began, by partition.
    """

    def __init__(self, folded: Mapping[int, Iterable[Folded]] | None = None) -> None:
        self._runs = {partition: [_run(folded) for folded in runs] for partition, runs in (folded or {}).items()}
        # Another process may have answered requests since.
        self._interrupted = set(self._runs)
        self._next_is_met: set[int] = set()

    def folded(self) -> dict[int, list[Folded]]:
        """Return what was folded and the log hasn't brought yet, by partition."""
        return {partition: [Folded(run.since, run.until, run.is_met) for run in runs] for partition, runs in self._runs.items()}

    def met(self) -> list[int]:
        """Return the partitions that were answered here alone, without interruption, since what the log has brought."""
        return [
            partition
            for partition, runs in self._runs.items()
            if len(runs) == 1 and runs[0].is_met and partition not in self._interrupted
        ]

    def begin_again(self, partition: int) -> None:
        """A task was restored: another process may have answered requests in between, which come by the log."""
        self._interrupted.add(partition)
        self._next_is_met.discard(partition)

    def meet(self, partition: int) -> None:
        """Note that the log has brought everything that lies before the last run; before the first, if there is none yet."""
        runs = self._runs.get(partition)
        if runs:
            runs[-1].is_met = True
        else:
            self._next_is_met.add(partition)

    def note(self, partition: int, offsets: list[int]) -> int:
        """Note a batch (at least one offset, ascending); return how many of its first requests were folded before."""
        runs = self._runs.setdefault(partition, [])
        seen = next((place for place, offset in enumerate(offsets) if not _holds(runs, offset)), len(offsets))
        if seen == len(offsets):
            return seen
        has_gap = partition in self._interrupted and seen == 0
        if not runs or has_gap:
            runs.append(_Run(offsets[0]))
            runs[-1].is_met = partition in self._next_is_met
        self._interrupted.discard(partition)
        runs[-1].until = offsets[-1]
        return seen

    def hear(self, partition: int, watermark_ms: int) -> None:
        """Note a watermark in the partition's requests; everything before it was noted."""
        for run in self._runs.get(partition, [])[-1:]:
            run.heard_ms = max(run.heard_ms, watermark_ms)

    def reach_ms(self, partition: int, heard_ms: int = NEVER) -> int:
        """Return how far a partition's facts are complete by what was folded here; `NEVER` while the log lags behind that.

        Args:
            partition: whose.
            heard_ms: a watermark whose rows will be folded before anything is read.
        """
        runs = self._runs.get(partition)
        return max(runs[-1].heard_ms, heard_ms) if runs and runs[-1].is_met else NEVER

    def answers(self, partition: int) -> bool:
        """Whether anything of a partition was folded here that the log may bring."""
        return bool(self._runs.get(partition))

    def has(self, partition: int, offset: int) -> bool:
        """Whether a request, whose prediction the log has brought, was folded here. Called in the log's order."""
        runs = self._runs.get(partition)
        if not runs:
            return False
        while len(runs) > 1 and offset > runs[0].until:
            runs.pop(0)
        runs[0].is_met |= offset >= runs[0].since
        return _holds(runs[:1], offset)


def _run(folded: Folded) -> _Run:
    run = _Run(folded.since)
    run.until, run.is_met = folded.until, folded.is_met
    return run


def _holds(runs: list[_Run], offset: int) -> bool:
    return any(run.since <= offset <= run.until for run in runs)
