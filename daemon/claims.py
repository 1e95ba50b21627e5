"""What the lessons of several incidents say together: that an action helps against a cause, or that it doesn't. Pure.

Nothing is stored for it: claims are made from the incidents' own lessons whenever somebody asks. A lesson counts for a cause as
far as its incident was like one that is surely of that cause (`daemon/likeness.py`), and for as long as it is remembered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from daemon.ledger.records import UNKNOWN, Lesson
from daemon.likeness import Similar, signature, similar

Says = Literal["helps", "in_vain"]
_SIDES: Final[dict[Says, int]] = {"helps": 1, "in_vain": -1}
# Lessons of before they said so themselves: an ending is taken for what it mostly is.
_BY_OUTCOME: Final = {"closed": 1, "refused": -1, "failed": -1, "rolled_back": -1}


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """That an action helps against a cause, or is in vain, with its evidence.

    `supported_by`, `contradicted_by` and `demoted_by` are incidents in order of their ending; the last are those that
    contradicted it since it was supported last: while there are any, it doesn't hold. `confidence` is the posterior mean of how
    often the action does what is claimed, from a uniform prior: (1 + supporting) / (2 + supporting + contradicting), where each
    incident counts as far as it is alike (Laplace's rule of succession). From `expires_ms` on, in event time, nothing that is
    remembered supports it.
    """

    model: str
    cause: str
    action: str
    says: Says
    confidence: float
    supported_by: tuple[str, ...]
    contradicted_by: tuple[str, ...]
    demoted_by: tuple[str, ...]
    expires_ms: int


def claims_of(model: str, lessons: Sequence[Lesson], now_ms: int, memory_ms: int) -> tuple[Claim, ...]:
    """Return what a model's lessons claim: what holds first, the surest first.

    Args:
        model: whose.
        lessons: of its ended incidents, in any order.
        now_ms: event time.
        memory_ms: how long a lesson is remembered.
    """
    found = []
    for cause, action in sorted({(one.cause, one.action) for one in lessons if one.cause != UNKNOWN}):
        own = [one for one in lessons if (one.cause, one.action) == (cause, action)]
        alike = similar(signature([(cause, 1.0)]), own, now_ms - memory_ms + 1)
        past = sorted(alike, key=lambda one: (one.lesson.time_ms, one.lesson.incident))
        for says, side in _SIDES.items():
            claim = _claim(model, says, [one for one in past if side_of(one.lesson) == side], past, memory_ms)
            found += [] if claim is None else [claim]
    return tuple(sorted(found, key=lambda one: (bool(one.demoted_by), -one.confidence, one.cause, one.action, one.says)))


def side_of(lesson: Lesson) -> int:
    """Return 1 where a lesson speaks for its action, -1 where it speaks against it, 0 where nothing was learnt of it."""
    said = lesson.numbers.get("speaks_for")
    return _BY_OUTCOME.get(lesson.outcome, 0) if said is None else int(said)


def _claim(model: str, says: Says, backing: Sequence[Similar], past: Sequence[Similar], memory_ms: int) -> Claim | None:
    """Make the claim of one cause and action that some evidence backs; None where nothing does."""
    if not backing:
        return None
    against = [one for one in past if side_of(one.lesson) == -_SIDES[says]]
    newest, yes, no = backing[-1].lesson, _weight(backing), _weight(against)
    return Claim(
        model=model,
        cause=newest.cause,
        action=newest.action,
        says=says,
        confidence=(1.0 + yes) / (2.0 + yes + no),
        supported_by=_incidents(backing),
        contradicted_by=_incidents(against),
        demoted_by=_incidents([one for one in against if one.lesson.time_ms > newest.time_ms]),
        expires_ms=newest.time_ms + memory_ms,
    )


def _weight(evidence: Sequence[Similar]) -> float:
    return math.fsum(one.likeness for one in evidence)


def _incidents(evidence: Sequence[Similar]) -> tuple[str, ...]:
    return tuple(one.lesson.incident for one in evidence)
