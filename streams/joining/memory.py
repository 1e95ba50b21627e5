"""What the join remembers: predictions, early labels, and what became of each. Pure; the rules stand in the package's text."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from streams.runtime.watermark import NEVER

_SLACK = 1_024
# An honest source corrects a label a few times; finding one among many would get slow.
_MOST_EARLY_OF_ONE = 64


class Rules(NamedTuple):
    """Bounds of one join: times in milliseconds, `most_*` per partition."""

    horizon_ms: int
    lead_ms: int
    most_waiting: int = 1_000_000
    most_bytes: int = 1 << 29
    most_early: int = 200_000
    most_revisions: int = 16


class Truth(NamedTuple):
    """One label: its value (None: never known), when it was known, where the user put it, its offset in the internal topic."""

    value: float | None
    time_ms: int
    partition: int
    source_offset: int
    offset: int


class Match(NamedTuple):
    """A prediction's bytes and its label: what becomes an outcome."""

    raw: bytes
    truth: Truth
    revision: int


class _Entry(msgspec.Struct, gc=False):
    """A remembered prediction. `revision` is -1 until it is labelled; `keep_ms` is the last time a label of it can have."""

    raw: bytes
    offset: int
    time_ms: int
    keep_ms: int
    label: float = 0.0
    label_ms: int = 0
    revision: int = -1
    is_never: bool = False


class Memory:
    """The fold of one internal partition of predictions and labels.

    Args:
        rules: horizon, lead and caps.
        watermark_ms: how far event time had come when the state was committed.
        counts: the counts of that state.
        rebuilding: begin by folding what was committed before: nothing is counted or forgotten until `settle`.
    """

    def __init__(
        self, rules: Rules, *, watermark_ms: int = NEVER, counts: Mapping[str, int] | None = None, rebuilding: bool = False
    ) -> None:
        self.counts: Counter[str] = Counter(counts or {})
        self._rules = rules
        self._watermark_ms = watermark_ms
        self._rebuilding = rebuilding
        self._committed = self.counts.copy()
        self._entries: dict[str, _Entry] = {}
        self._early: dict[str, list[Truth]] = {}
        self._early_count = 0
        self._bytes = 0
        # Heaps of what may be forgotten, by time; queues by offset, for rebuilding and shedding. Both may hold what is gone.
        self._expiring: list[tuple[int, str]] = []
        self._early_expiring: list[tuple[int, int, str]] = []
        self._predictions: deque[tuple[int, str]] = deque()
        self._labels: deque[tuple[int, str]] = deque()
        self._early_order: deque[tuple[int, str]] = deque()

    @property
    def waiting(self) -> int:
        """Predictions without a label that may still come."""
        ended = ("joined", "never", "unlabelled", "duplicate", "shed")
        return self.counts["predictions"] - sum(self.counts[result] for result in ended)

    @property
    def remembered(self) -> int:
        """Predictions in memory, labelled ones included."""
        return len(self._entries)

    @property
    def early(self) -> int:
        """Labels that wait for their prediction."""
        return self._early_count

    def first_prediction(self) -> int | None:
        """Offset from which predictions must be folded again; None when none is remembered."""
        while self._predictions and not self._is_current(*self._predictions[0]):
            self._predictions.popleft()
        return self._predictions[0][0] if self._predictions else None

    def first_label(self) -> int | None:
        """Offset from which labels must be folded again; None when none is remembered."""
        while self._labels and self._labels[0][1] not in self._entries and self._labels[0][1] not in self._early:
            self._labels.popleft()
        return self._labels[0][0] if self._labels else None

    def add_prediction(self, prediction_id: str, time_ms: int, raw: bytes, offset: int) -> list[Match]:
        """Take a prediction; returns what early labels make of it, in their order."""
        self.counts["predictions"] += 1
        known = self._entries.get(prediction_id)
        if known is not None:
            if time_ms <= known.time_ms + self._rules.horizon_ms + self._rules.lead_ms:
                self.counts["duplicate"] += 1
                known.keep_ms = max(known.keep_ms, time_ms + self._rules.horizon_ms)
                return []
            self._forget(prediction_id)
        entry = _Entry(raw, offset, time_ms, time_ms + self._rules.horizon_ms)
        self._entries[prediction_id] = entry
        self._bytes += len(raw)
        self._predictions.append((offset, prediction_id))
        heapq.heappush(self._expiring, (entry.keep_ms, prediction_id))
        matches = [match for truth in self._claim(prediction_id, entry) for match in self._attach(entry, truth)]
        self._shed_predictions()
        self._expire()
        return matches

    def add_label(self, prediction_id: str, truth: Truth) -> list[Match]:
        """Take a label; returns the match that it makes, if any."""
        self.counts["labels"] += 1
        self._labels.append((truth.offset, prediction_id))
        entry = self._entries.get(prediction_id)
        if entry is not None and self._belongs(entry, truth):
            return self._attach(entry, truth)
        early = self._early.setdefault(prediction_id, [])
        if len(early) >= _MOST_EARLY_OF_ONE:
            self.counts["shed_labels"] += 1
            return []
        early.append(truth)
        self._early_count += 1
        self._early_order.append((truth.offset, prediction_id))
        heapq.heappush(self._early_expiring, (truth.time_ms, truth.offset, prediction_id))
        self._shed_labels()
        self._expire()
        return []

    def advance(self, watermark_ms: int) -> None:
        """Let go of what nothing can be joined with any more."""
        self._watermark_ms = max(self._watermark_ms, watermark_ms)
        self._expire()
        self._compact()

    def settle(self) -> None:
        """End of a rebuild: from now on things count and are forgotten."""
        if self._rebuilding:
            self._rebuilding = False
            self._expire()
            self.counts = self._committed.copy()

    def _belongs(self, entry: _Entry, truth: Truth) -> bool:
        """By values alone, so that it doesn't depend on what was read first."""
        return -self._rules.lead_ms <= truth.time_ms - entry.time_ms <= self._rules.horizon_ms

    def _claim(self, prediction_id: str, entry: _Entry) -> list[Truth]:
        """Take the early labels that belong to a prediction, in their order; others go on waiting."""
        early = self._early.get(prediction_id, [])
        claimed = [truth for truth in early if self._belongs(entry, truth)]
        for truth in claimed:
            self._drop_early(prediction_id, truth.offset)
        return claimed

    def _attach(self, entry: _Entry, truth: Truth) -> list[Match]:
        result = self._judge(entry, truth)
        self.counts[result] += 1
        if result == "never":
            entry.is_never = True
            self._bytes -= len(entry.raw)
            entry.raw = b""
        if result not in {"joined", "corrected"} or truth.value is None:
            return []
        entry.label, entry.label_ms, entry.revision = truth.value, truth.time_ms, entry.revision + 1
        return [Match(entry.raw, truth, entry.revision)]

    def _judge(self, entry: _Entry, truth: Truth) -> str:
        """Say what becomes of a label that belongs to a prediction."""
        is_labelled = entry.revision >= 0
        if truth.value is None or entry.is_never:
            return "repeated" if is_labelled or entry.is_never else "never"
        if not is_labelled:
            return "joined"
        if truth.value == entry.label or truth.time_ms <= entry.label_ms:
            return "repeated"
        return "corrected" if entry.revision < self._rules.most_revisions else "shed_labels"

    def _expire(self) -> None:
        if self._rebuilding:
            return
        limit = self._watermark_ms - self._rules.lead_ms
        # Labels first: only then can a late one be told from one that nobody knows.
        while self._early_expiring and self._early_expiring[0][0] < limit:
            time_ms, offset, prediction_id = heapq.heappop(self._early_expiring)
            entry = self._entries.get(prediction_id)
            result = "unknown" if entry is None or time_ms < entry.time_ms else "late"
            self.counts[result] += self._drop_early(prediction_id, offset)
        while self._expiring and self._expiring[0][0] < limit:
            keep_ms, prediction_id = heapq.heappop(self._expiring)
            entry = self._entries.get(prediction_id)
            if entry is None:
                continue
            if entry.keep_ms < limit:
                self._forget(prediction_id)
            elif entry.keep_ms > keep_ms:
                heapq.heappush(self._expiring, (entry.keep_ms, prediction_id))

    def _forget(self, prediction_id: str, reason: str = "unlabelled") -> None:
        entry = self._entries.pop(prediction_id)
        self._bytes -= len(entry.raw)
        if entry.revision < 0 and not entry.is_never:
            self.counts[reason] += 1

    def _drop_early(self, prediction_id: str, offset: int) -> int:
        truths = self._early.get(prediction_id, [])
        kept = [truth for truth in truths if truth.offset != offset]
        self._early_count -= len(truths) - len(kept)
        if kept:
            self._early[prediction_id] = kept
        elif truths:
            del self._early[prediction_id]
        return len(truths) - len(kept)

    def _shed_predictions(self) -> None:
        while len(self._entries) > self._rules.most_waiting or self._bytes > self._rules.most_bytes:
            offset, prediction_id = self._predictions.popleft()
            if self._is_current(offset, prediction_id):
                self._forget(prediction_id, "shed")

    def _shed_labels(self) -> None:
        while self._early_count > self._rules.most_early:
            offset, prediction_id = self._early_order.popleft()
            self.counts["shed_labels"] += self._drop_early(prediction_id, offset)

    def _is_current(self, offset: int, prediction_id: str) -> bool:
        entry = self._entries.get(prediction_id)
        return entry is not None and entry.offset == offset

    def _compact(self) -> None:
        """Drop what is gone from queues and heaps, once it is most of them."""
        entries, early = self._entries, self._early
        if len(self._predictions) > 2 * len(entries) + _SLACK:
            self._predictions = deque(place for place in self._predictions if self._is_current(*place))
        if len(self._expiring) > 2 * len(entries) + _SLACK:
            self._expiring = [(entry.keep_ms, name) for name, entry in entries.items()]
            heapq.heapify(self._expiring)
        if len(self._labels) > 2 * (len(entries) + len(early)) + _SLACK:
            # The first label of an id is what a rebuild must reach.
            firsts = {name: offset for offset, name in reversed(self._labels) if name in entries or name in early}
            self._labels = deque(sorted((offset, name) for name, offset in firsts.items()))
        if max(len(self._early_order), len(self._early_expiring)) > 2 * self._early_count + _SLACK:
            waiting = [(truth, name) for name, truths in early.items() for truth in truths]
            self._early_order = deque(sorted((truth.offset, name) for truth, name in waiting))
            self._early_expiring = [(truth.time_ms, truth.offset, name) for truth, name in waiting]
            heapq.heapify(self._early_expiring)
