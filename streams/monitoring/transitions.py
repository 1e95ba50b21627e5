"""From alarms to statements: suspected, confirmed, cleared, and silence in between. One course per detector and kind. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    bucket is not a drift), or at once when it is overwhelming. Within the cool-down it is said again only of a signal that wasn't
    named and whose change began after the last statement: another column that breaks is news, one that follows slowly isn't.
    Buckets without a verdict are not told to a course: they neither raise nor clear.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._runs: dict[int, int] = {}
        self._silent = 0
        self._state: Transition = "cleared"
        # When each signal was last named, and when anything was last said to be confirmed.
        self._named: dict[int, int] = {}
        self._confirmed_ms: int | None = None

    def step(self, alarming: Mapping[int, int], end_ms: int, overwhelming: Collection[int] = ()) -> Transition | None:
        """Take in one bucket's verdict and return what is to be said, if anything.

        Args:
            alarming: the signals that alarmed in the bucket, with the begin of their change; empty is silence.
            end_ms: end of the bucket.
            overwhelming: which of them need no second bucket.
        """
        self._runs = {signal: self._runs.get(signal, 0) + 1 for signal in alarming}
        if not alarming:
            return self._clear()
        self._silent = 0
        sure = [signal for signal, run in self._runs.items() if run >= self._rules.confirm_after or signal in overwhelming]
        if sure:
            return self._confirm({signal: alarming[signal] for signal in sure}, end_ms)
        if self._state == "cleared":
            self._state = "suspected"
            return "suspected"
        return None

    def _confirm(self, sure: Mapping[int, int], end_ms: int) -> Transition | None:
        self._state = "confirmed"
        if not any(self._is_news(signal, since_ms, end_ms) for signal, since_ms in sure.items()):
            return None
        self._named |= dict.fromkeys(sure, end_ms)
        self._confirmed_ms = end_ms
        return "confirmed"

    def _is_news(self, signal: int, since_ms: int, end_ms: int) -> bool:
        if self._confirmed_ms is None or end_ms - self._confirmed_ms >= self._rules.cooldown_ms:
            return True
        named_ms = self._named.get(signal)
        was_named = named_ms is not None and end_ms - named_ms < self._rules.cooldown_ms
        return not was_named and since_ms >= self._confirmed_ms

    def _clear(self) -> Transition | None:
        if self._state == "cleared":
            return None
        self._silent += 1
        if self._silent < self._rules.clear_after:
            return None
        self._state, self._silent = "cleared", 0
        return "cleared"
