"""From alarms to statements: suspected, confirmed, cleared, and silence in between. One course per detector and kind. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from streams.contracts.events import Transition


class Rules(NamedTuple):
    """How many buckets in a row confirm and clear, and how long a confirmed alarm isn't said again."""

    confirm_after: int
    clear_after: int
    cooldown_ms: int


class Course:
    """What one detector said of one kind so far.

    An alarm is confirmed when the *same* signal alarmed in `confirm_after` buckets in a row (a different column by chance in each
    bucket is not a drift), or at once when one is overwhelming. Buckets without a verdict are not told to a course: they neither
    raise nor clear.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._runs: dict[int, int] = {}
        self._silent = 0
        self._state: Transition = "cleared"
        self._confirmed_ms: int | None = None

    def step(self, alarming: Collection[int], end_ms: int, *, is_overwhelming: bool = False) -> Transition | None:
        """Take in one bucket's verdict and return what is to be said, if anything.

        Args:
            alarming: the signals that alarmed in the bucket; empty is silence.
            end_ms: end of the bucket.
            is_overwhelming: whether one of them needs no second bucket.
        """
        self._runs = {signal: self._runs.get(signal, 0) + 1 for signal in alarming}
        if not alarming:
            return self._clear()
        self._silent = 0
        if is_overwhelming or max(self._runs.values()) >= self._rules.confirm_after:
            return self._confirm(end_ms)
        if self._state == "cleared":
            self._state = "suspected"
            return "suspected"
        return None

    def _confirm(self, end_ms: int) -> Transition | None:
        is_cooling = self._confirmed_ms is not None and end_ms - self._confirmed_ms < self._rules.cooldown_ms
        self._state = "confirmed"
        if is_cooling:
            return None
        self._confirmed_ms = end_ms
        return "confirmed"

    def _clear(self) -> Transition | None:
        if self._state == "cleared":
            return None
        self._silent += 1
        if self._silent < self._rules.clear_after:
            return None
        self._state, self._silent = "cleared", 0
        return "cleared"
