"""Which rows a training should learn from, and whether they are there already.

All that the config says, as a rule; where the rows before a change contradict those since, the latter alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from daemon.planners.base import LEARNABLE, Change, Situation

# The newest labels are as far behind as most labels take; a range is split into rows to learn from, to stop early by and to judge
# on, and each of the first two needs rows whose labels were known when the next began. Below three delays that can't be.
DELAYS: Final = 3
DAY_MS: Final = 86_400_000


class Rows(NamedTuple):
    """Rows to learn from: those since an event time (None: as the config says), or none yet, but soon; and why, for people."""

    since_ms: int | None = None
    are_coming: bool = False
    why: str = ""


def rows_to_learn_from(situation: Situation, least_rows: int, *, contradicts: bool) -> Rows:
    """Choose them.

    Args:
        situation: all that is known.
        least_rows: labelled rows below which nothing is trained.
        contradicts: whether so much was lost that the rows of before teach what is wrong now.
    """
    change, likely = situation.diagnosis.change, situation.diagnosis.likely
    if change is None or likely is None or likely.cause not in LEARNABLE:
        return Rows()
    since = _Since(change, situation)
    if contradicts and likely.cause == "concept_change":
        if since.has(least_rows, DELAYS):
            return Rows(
                change.since_ms,
                why=f"rows before the change contradict the {change.learnable} labelled ones to learn from since it",
            )
        if since.will_have(least_rows, DELAYS):
            why = f"rows before the change contradict those since it, {change.learnable} of which can be learnt from"
            return Rows(are_coming=True, why=why)
    # A search and a judge that see little of what is new find nothing in it, and a judge in shadow waits for as long as labels
    # take anyway.
    if situation.diagnosis.news is not None and not since.has(0, 1) and since.will_have(least_rows, 1):
        return Rows(
            are_coming=True, why=f"labels of {since.days:.1f} days since the change are known, fewer than they take to come"
        )
    return Rows()


class _Since(NamedTuple):
    """What is known of a change, and will be."""

    change: Change
    situation: Situation

    @property
    def days(self) -> float:
        """Days since the change whose labels are known."""
        return max(self._span_ms, 0.0) / DAY_MS

    def has(self, rows: int, delays: int) -> bool:
        """Whether so many labelled rows lie behind it, over so many times as long as most labels take."""
        return self._span_ms > 0 and self.change.learnable >= rows and self._span_ms >= delays * self._delay_ms

    def will_have(self, rows: int, delays: int) -> bool:
        """Whether they will after all the waits, if as many come in the same time as do now."""
        later_ms = self._span_ms + self.situation.waits_left * self.situation.wait_ms
        coming = self.change.learnable * later_ms / self._span_ms if self._span_ms > 0 else 0.0
        return coming >= rows and later_ms >= delays * self._delay_ms

    @property
    def _delay_ms(self) -> float:
        return self.situation.diagnosis.label_state.delay_ms_p90 or 0.0

    @property
    def _span_ms(self) -> float:
        return self.situation.now_ms - self._delay_ms - self.change.since_ms
