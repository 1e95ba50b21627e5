"""From alarms to statements: suspected, confirmed, cleared, and silence in between. One course per detector and kind. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    raise nor clear. After an alarm was cleared, the cool-down silences the columns that it was about and no others: chance in one
    column mustn't hide what happens to another.

    Args:
        rules: how long an alarm lasts and is silent.
        columns: what each signal watches.
    """

    def __init__(self, rules: Rules, columns: Sequence[str]) -> None:
        self._rules = rules
        self._columns = columns
        self._runs: dict[int, int] = {}
        self._silent = 0
        self._state: Transition = "cleared"
        self._said_ms: dict[str, int] = {}

    def step(self, alarming: Collection[int], end_ms: int, *, overwhelming: Collection[int] = ()) -> Transition | None:
        """Take in one bucket's verdict and return what is to be said, if anything.

        Args:
            alarming: the signals that alarmed in the bucket; empty is silence.
            end_ms: end of the bucket.
            overwhelming: those of them that need no second bucket.
        """
        self._runs = {signal: self._runs.get(signal, 0) + 1 for signal in alarming}
        if not alarming:
            return self._clear()
        self._silent = 0
        enough = self._rules.confirm_after
        sure = {self._columns[one] for one, lasting in self._runs.items() if lasting >= enough or one in overwhelming}
        if sure:
            return self._confirm(sure, end_ms)
        if self._state == "cleared":
            self._state = "suspected"
            return "suspected"
        return None

    def _confirm(self, sure: Collection[str], end_ms: int) -> Transition | None:
        was_on, self._state = self._state == "confirmed", "confirmed"
        said = {column: ms for column, ms in self._said_ms.items() if end_ms - ms < self._rules.cooldown_ms}
        if (was_on and said) or said.keys() >= set(sure):
            return None
        self._said_ms = said | dict.fromkeys(sure, end_ms)
        return "confirmed"

    def _clear(self) -> Transition | None:
        if self._state == "cleared":
            return None
        self._silent += 1
        if self._silent < self._rules.clear_after:
            return None
        self._state, self._silent = "cleared", 0
        return "cleared"
