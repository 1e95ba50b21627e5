"""How alike incidents are, by what they were diagnosed as, and what those of before say about an action. Pure.

An incident's signature is its distribution over causes, kept among its lesson's numbers. Two are as alike as their distributions:
1 less the total variation distance, which is the share of probability that they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from daemon.ledger.records import Lesson, State

# Names of a signature's numbers begin so, among a lesson's other numbers.
_CAUSE = "cause."
# Less alike than this, an incident says nothing of another.
LEAST_ALIKE = 0.5
# An action that ended so has not helped.
_IN_VAIN: frozenset[State] = frozenset({"refused", "failed", "rolled_back", "expired"})
_HELPED: State = "closed"


class Similar(NamedTuple):
    """A lesson, and how alike its incident is, from `LEAST_ALIKE` to 1."""

    lesson: Lesson
    likeness: float


def signature(causes: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the numbers by which an incident is found again, given its causes with their probabilities."""
    return {f"{_CAUSE}{cause}": probability for cause, probability in causes}


def likeness(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return how alike two signatures are, from 0 to 1; other numbers in the mappings count for nothing."""
    first, second = ({name: value for name, value in numbers.items() if name.startswith(_CAUSE)} for numbers in (one, other))
    return math.fsum(min(value, second[name]) for name, value in first.items() if name in second)


def similar(own: Mapping[str, float], lessons: Sequence[Lesson], since_ms: int) -> tuple[Similar, ...]:
    """Return the lessons since an event time whose incidents were like one with the signature `own`, the most alike first.

    A lesson of before signatures were kept says nothing of how alike it is, and counts in full.
    """
    found = []
    for lesson in lessons:
        has_one = any(name.startswith(_CAUSE) for name in lesson.numbers)
        alike = likeness(own, lesson.numbers) if has_one else 1.0
        if lesson.time_ms >= since_ms and alike >= LEAST_ALIKE:
            found.append(Similar(lesson, alike))
    return tuple(sorted(found, key=lambda one: (-one.likeness, -one.lesson.time_ms, one.lesson.incident)))


def times_in_vain(action: str, past: Sequence[Similar]) -> float:
    """Return how often an action was in vain in similar incidents since it last helped in one, each as far as it is alike.

    What helped later contradicts what was learnt before it, so that a bad start isn't held against an action for ever.
    """
    own = [one for one in past if one.lesson.action == action]
    helped_ms = max((one.lesson.time_ms for one in own if one.lesson.outcome == _HELPED), default=None)
    return math.fsum(
        one.likeness for one in own if one.lesson.outcome in _IN_VAIN and (helped_ms is None or one.lesson.time_ms > helped_ms)
    )
