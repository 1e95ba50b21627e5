"""From alarms to statements: suspected, confirmed, cleared, and silence in between. One course per detector and kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streams.contracts.events import Transition

MORE = 1.0
"""Within a column's cool-down an alarm is news when it is so much more improbable (powers of ten) than what was said of it."""


class Rules(NamedTuple):
    """How many buckets in a row confirm and clear, and how long a confirmed alarm isn't said again."""

    confirm_after: int
    clear_after: int
    cooldown_ms: int


class _Said(NamedTuple):
    """When a column's alarm was said, and how improbable it has become."""

    time_ms: int
    improbability: float

    def and_seen(self, improbability: float) -> _Said:
        return _Said(self.time_ms, max(self.improbability, improbability))


class Course:
    """What one detector said of one kind so far.

    An alarm is confirmed when the *same* signal alarmed in `confirm_after` buckets in a row (a different column by chance in each
    bucket is not a drift), or at once when one is overwhelming. Buckets without a verdict are not told to a course: they neither
    raise nor clear. After an alarm was cleared, the cool-down silences the columns that it was about and no others, and for those
    only what is about as improbable as it was: chance in a column mustn't hide what happens to another, or to itself.

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
        self._said: dict[str, _Said] = {}

    def step(self, alarming: Mapping[int, float], end_ms: int, *, overwhelming: float) -> Transition | None:
        """Take in one bucket's verdict and return what is to be said, if anything.

        Args:
            alarming: the signals that alarmed in the bucket, and how improbable they are; empty is silence.
            end_ms: end of the bucket.
            overwhelming: how improbable it must be to need no second bucket.
        """
        self._runs = {signal: self._runs.get(signal, 0) + 1 for signal in alarming}
        if not alarming:
            return self._clear()
        self._silent = 0
        sure: dict[str, float] = {}
        for signal, improbability in alarming.items():
            if self._runs[signal] >= self._rules.confirm_after or improbability >= overwhelming:
                column = self._columns[signal]
                sure[column] = max(sure.get(column, improbability), improbability)
        if sure:
            return self._confirm(sure, end_ms)
        if self._state == "cleared":
            self._state = "suspected"
            return "suspected"
        return None

    def _confirm(self, sure: Mapping[str, float], end_ms: int) -> Transition | None:
        said = {column: one for column, one in self._said.items() if end_ms - one.time_ms < self._rules.cooldown_ms}
        if self._state == "confirmed" and said:
            self._said |= {column: said[column].and_seen(height) for column, height in sure.items() if column in said}
            return None
        if not any(column not in said or height >= said[column].improbability + MORE for column, height in sure.items()):
            return None
        self._state = "confirmed"
        self._said = said | {column: _Said(end_ms, height) for column, height in sure.items()}
        return "confirmed"

    def _clear(self) -> Transition | None:
        if self._state == "cleared":
            return None
        self._silent += 1
        if self._silent < self._rules.clear_after:
            return None
        self._state, self._silent = "cleared", 0
        return "cleared"
