"""Metrics that are described instead of named: `catch 80 % of those who churn`, `be right in 9 of 10 cases`, `5 minutes off`.

A description is in two halves at least, which stand apart; each is read only where the other one stands too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from daemon.goals.bounds import read_bound
from daemon.goals.metrics import METRICS
from daemon.goals.parts import BoundPart, MetricPart, NothingPart, Part, WishPart
from daemon.goals.reading import Found, Lexicon, Reading
from daemon.goals.said.described import (
    ANSWERS,
    BE,
    CATCHES,
    CAUGHT,
    COUNTED,
    ESTIMATES,
    FLAGGED,
    OFF,
    ON_AVERAGE,
    RIGHT,
    SAYS,
    TRULY,
    WARNINGS,
    WRONG,
)
from daemon.goals.words import ARTICLES, PLAIN_NOUNS

_FURTHEST: Final = 16
_LEADS: Final = ARTICLES | {"of", "all", "our", "in", "from"}
_INTO: Final = frozenset({"in", "on", "for", "about"})
_ANYBODY: Final = ARTICLES | PLAIN_NOUNS | {"someone", "somebody", "one"}
_WHO: Final = frozenset({"who", "that", "whom"})
_ENDS: Final = frozenset({".", ";", ":", "!", "?"})


class Described:
    """Reads what describes a metric.

    Args:
        outcomes: what may become of a request, by the words for it: `churn`, `churners`.
    """

    def __init__(self, outcomes: Lexicon[str]) -> None:
        self._outcomes = outcomes

    def read(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read one half of a description."""
        if reading.vocabulary.schema.task == "regression":
            return _off(reading, at)
        readers = (self._catches, self._caught, self._flagged, self._says, self._truly, self._rows, _right)
        return next((found for reader in readers if (found := reader(reading, at)) is not None), None)

    def _catches(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `catch at least 80 % of the customers who churn`, up to the number."""
        verb = CATCHES.at(reading, at)
        share = None if verb is None else read_bound(reading, verb.end)
        is_share = share is not None and isinstance(share.value, BoundPart) and share.value.quantity.unit == "%"
        is_of_outcome = share is not None and is_share and self._is_near(reading, share.end, 1)
        return Found(verb.end, _described("recall")) if verb is not None and is_of_outcome else None

    def _caught(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `must be caught` behind `80 % of all churners`."""
        caught = CAUGHT.at(reading, _past_be(reading, at))
        return Found(caught.end, _described("recall")) if caught is not None and self._is_near(reading, at - 1, -1) else None

    def _flagged(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `we flag as churners` before `should really churn`."""
        flagged = FLAGGED.at(reading, reading.skip(_past_rows(reading, at), _WHO))
        if flagged is None:
            return self._warnings(reading, at)
        if _place_of(reading, flagged.end, 1, self._truly_at) is None:
            return None
        outcome = self._outcomes.at(reading, reading.skip(flagged.end, ARTICLES))
        return Found(outcome.end if outcome else flagged.end, _described("precision"))

    def _says(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `when the model says that a customer will churn` before `it has to be right`."""
        says = SAYS.at(reading, at)
        if says is None:
            return None
        noun = reading.skip(says.end, _ANYBODY)
        outcome = self._outcomes.at(reading, reading.skip(noun, {"will"}))
        is_judged = outcome is not None and _place_of(reading, outcome.end, 1, RIGHT.at) is not None
        return Found(outcome.end, _described("precision")) if noun > says.end and outcome is not None and is_judged else None

    def _rows(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `of the customers` before `who churn`, where they are to be caught."""
        end = _past_rows(reading, at)
        if end == at or not reading.is_one_of(end, _WHO | {"about", "at", "likely"}):
            return None
        is_caught = _place_of(reading, at, -1, CATCHES.at) is not None or _place_of(reading, end, 1, CAUGHT.at) is not None
        return Found(end, NothingPart()) if is_caught else None

    def _warnings(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `churn warnings` before `should be right`."""
        outcome = self._outcomes.at(reading, reading.skip(at, _LEADS))
        warnings = None if outcome is None else WARNINGS.at(reading, outcome.end)
        is_judged = warnings is not None and _place_of(reading, warnings.end, 1, RIGHT.at) is not None
        return Found(warnings.end, _described("precision")) if warnings is not None and is_judged else None

    def _truly(self, reading: Reading, at: int) -> Found[Part] | None:
        found = self._truly_at(reading, at)
        if found is None or _place_of(reading, at - 1, -1, FLAGGED.at) is None:
            return None
        return Found(found.end, WishPart())

    def _truly_at(self, reading: Reading, at: int) -> Found[str] | None:
        """Read `should really churn`."""
        truly = TRULY.at(reading, at)
        return None if truly is None else self._outcomes.at(reading, truly.end)

    def _is_near(self, reading: Reading, at: int, step: int) -> bool:
        return _place_of(reading, at, step, self._outcomes.at) is not None


def _right(reading: Reading, at: int) -> Found[Part] | None:
    """Read `be right` with `in 90 % of cases`, before or behind it."""
    be = _past_be(reading, at)
    right, wrong = RIGHT.at(reading, be), WRONG.at(reading, be)
    found = right or wrong
    if found is not None:
        metric = "accuracy" if right else "error_rate"
        if right is not None and any(_place_of(reading, at, -1, one.at) is not None for one in (WARNINGS, SAYS)):
            return Found(reading.skip(right.end, _INTO), NothingPart())
        is_counted = any(_place_of(reading, at, step, one.at) is not None for step in (1, -1) for one in (ANSWERS, COUNTED))
        return Found(reading.skip(found.end, _INTO), _described(metric)) if is_counted else None
    answers = ANSWERS.at(reading, at)
    is_of_share = answers is not None and any(
        _place_of(reading, at, step, one.at) is not None for step in (1, -1) for one in (RIGHT, WRONG)
    )
    return Found(answers.end, NothingPart()) if answers is not None and is_of_share else None


def _off(reading: Reading, at: int) -> Found[Part] | None:
    """Read `off by` with `on average`, before or behind it."""
    off, average = OFF.at(reading, reading.skip(at, BE)), ON_AVERAGE.at(reading, at)
    off = off or ESTIMATES.at(reading, at)
    for found, other, part in ((off, ON_AVERAGE, _described("mae")), (average, OFF, NothingPart())):
        if found is not None and any(_place_of(reading, at, step, other.at) is not None for step in (1, -1)):
            return Found(found.end, part)
    return None


def _past_rows(reading: Reading, at: int) -> int:
    """Return the place behind what rows are called, the place itself where they aren't."""
    noun = reading.skip(at, _LEADS)
    return noun + 1 if reading.is_one_of(noun, PLAIN_NOUNS | {"those"}) else at


def _past_be(reading: Reading, at: int) -> int:
    """Return the place behind `be`, a place where nothing stands where there is none."""
    end = reading.skip(at, BE)
    return end if end > at or reading.is_one_of(at - 1, BE) else len(reading.tokens)


def _described(metric: str) -> MetricPart:
    return MetricPart(METRICS[metric], is_described=True)


def _place_of(reading: Reading, at: int, step: int, finds: Callable[[Reading, int], Found[str] | None]) -> int | None:
    """Return the place of what is looked for, in the same sentence and not far from a place on."""
    place = at
    while abs(place - at) < _FURTHEST and reading.token(place) is not None and not reading.is_one_of(place, _ENDS):
        if finds(reading, place) is not None:
            return place
        place += step
    return None
