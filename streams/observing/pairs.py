"""What waits for its other half: requests for answers and answers for requests. Pure.

Time is when the broker got a record, so that it never goes back within a partition. What came last about an id counts from then
on for `patience_ms`: an id that comes again meanwhile is a repeat, and later it is a new request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

Side = Literal["request", "answer"]


class Pair(NamedTuple):
    """Both halves, as bytes."""

    request: bytes
    answer: bytes


class _Entry(msgspec.Struct, gc=False):
    """An id: where its first half stands, when it was last heard of, and the half that waits (none once it is paired)."""

    offset: int
    heard_ms: int
    side: Side | None
    half: bytes


class Pairs:
    """The fold of one internal partition.

    Args:
        patience_ms: how long an id is remembered.
        most: ids remembered; beyond it the oldest are shed.
        counts: of the state that was committed.
        rebuilding: begin by folding what was committed before: nothing is counted until `settle`.
    """

    def __init__(self, patience_ms: int, most: int, *, counts: Mapping[str, int] | None = None, rebuilding: bool = False) -> None:
        self.counts: Counter[str] = Counter(counts or {})
        self._committed = self.counts.copy()
        self._rebuilding = rebuilding
        self._patience_ms = patience_ms
        self._most = most
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        """Ids remembered."""
        return len(self._entries)

    def first(self) -> int | None:
        """Offset from which the memory must be folded again; None when there is none."""
        return next((entry.offset for entry in self._entries.values()), None)

    def add(self, side: Side, request_id: str, half: bytes, offset: int, now_ms: int) -> Pair | None:
        """Take one half; return the pair that it completes, if any."""
        self._let_go(now_ms)
        entry = self._entries.get(request_id)
        if entry is not None and now_ms - entry.heard_ms > self._patience_ms:
            self._forget(request_id)
            entry = None
        if entry is None:
            self._entries[request_id] = _Entry(offset, now_ms, side, half)
            while len(self._entries) > self._most:
                self._forget(next(iter(self._entries)), "shed")
            return None
        entry.heard_ms = now_ms
        if entry.side is None or entry.side == side:
            self.counts["repeated"] += 1
            return None
        pair = Pair(half, entry.half) if side == "request" else Pair(entry.half, half)
        entry.side, entry.half = None, b""
        self.counts["paired"] += 1
        return pair

    def settle(self) -> None:
        """End of a rebuild: from now on things count."""
        if self._rebuilding:
            self._rebuilding = False
            self.counts = self._committed.copy()

    def _let_go(self, now_ms: int) -> None:
        """Forget the oldest ids that nothing was heard of for too long.

        One that was heard of later than it came first keeps those behind it here too, which then don't count any more.
        """
        while self._entries:
            request_id, entry = next(iter(self._entries.items()))
            if now_ms - entry.heard_ms <= self._patience_ms:
                return
            self._forget(request_id)

    def _forget(self, request_id: str, why: str = "") -> None:
        entry = self._entries.pop(request_id)
        if entry.side is not None:
            self.counts[why or ("unanswered" if entry.side == "request" else "unasked")] += 1
