"""Whether every request was answered once and by the right version, how fast, and how fast the replay was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from skills._kit.frames import Floats


class Answer(NamedTuple):
    """One prediction: the request's id and event time, the generation that scored it, the version whose features it was given."""

    id: str
    time_ms: int
    generation: int
    features_of: int


class Deployed(NamedTuple):
    """From an event time on, a generation is the one that serves."""

    effective_ms: int
    generation: int


class SwapIntegrity(NamedTuple):
    """Rows lost, doubled and misattributed. All three must be 0."""

    lost: int
    doubled: int
    misattributed: int


class Speed(NamedTuple):
    """Events in a second of wall time, and virtual seconds in one."""

    events_a_second: float
    virtual_to_wall: float


def swap_integrity(
    asked: Iterable[str], answers: Sequence[Answer], refused: Iterable[str], deployed: Sequence[Deployed]
) -> SwapIntegrity:
    """Compare requests with answers and with what was put into quarantine.

    A request with neither is lost; every further answer or refusal of it is doubled, and so is every one that nobody asked
    for. An id that was asked for twice may be answered twice. An answer is misattributed when its generation isn't the last
    one effective at or before its event time (of two effective at the same time the one listed later), when there is none yet,
    or when its features are another version's.
    """
    wanted = Counter(asked)
    given = Counter(answer.id for answer in answers) + Counter(refused)
    return SwapIntegrity(
        lost=(wanted - given).total(), doubled=(given - wanted).total(), misattributed=_misattributed(answers, deployed)
    )


def p99(latencies: Floats) -> float | None:
    """Return the 99th percentile, between the two nearest measurements; None without any. What isn't finite is left out."""
    measured = latencies[np.isfinite(latencies)]
    return float(np.quantile(measured, 0.99)) if len(measured) else None


def latency_ratio(before: Floats, during: Floats) -> float | None:
    """Return the 99th percentile of latencies during swaps over that before them; None when a side is empty or takes no time."""
    usual, swapping = p99(before), p99(during)
    return swapping / usual if swapping is not None and usual else None


def replay_speed(events: int, virtual_ms: int, wall_seconds: float) -> Speed | None:
    """Return how fast a replay was; None when no wall time was measured."""
    return Speed(events / wall_seconds, virtual_ms / 1_000 / wall_seconds) if wall_seconds > 0 else None


def _misattributed(answers: Sequence[Answer], deployed: Sequence[Deployed]) -> int:
    plan = sorted(deployed, key=lambda one: one.effective_ms)
    places = np.searchsorted([one.effective_ms for one in plan], [answer.time_ms for answer in answers], "right")
    return sum(
        not place or answer.generation != plan[place - 1].generation or answer.features_of != answer.generation
        for place, answer in zip(places.tolist(), answers, strict=True)
    )
