"""Movements of a metric put together: which way, how far, and whether that is an improvement or what may be lost at most."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from daemon.goals.metrics import Metric
from daemon.goals.parts import BoundPart, ChangePart, MovePart, Part, Quantity, SidePart, Verb, Way


class Step(NamedTuple):
    """How far a metric is to move at least, or may move at most; `is_a_goal` where that is what people want of it."""

    quantity: Quantity
    aim: Literal["improve", "hold"]
    is_a_goal: bool


def steps_of(parts: Sequence[Part], verbs: AbstractSet[Verb], metric: Metric | None) -> tuple[list[Step], tuple[Part, ...]]:
    """Return the steps that parts say, and the parts that say something else."""
    moves = [part.way for part in parts if isinstance(part, MovePart)]
    sides = {part.side for part in parts if isinstance(part, SidePart)}
    way: Way | None = moves[0] if len(set(moves)) == 1 else _way_of(verbs)
    steps: list[Step] = []
    others: list[Part] = []
    for part in parts:
        change = part if isinstance(part, ChangePart) else _sized(part, metric, has_move=bool(moves), way=way)
        if change is not None and sides:
            change = change._replace(limit="most" if sides == {"ceiling"} else "least")
        if change is not None:
            steps.append(_step(change, change.way or way, metric))
        elif not isinstance(part, MovePart):
            others.append(part)
    if moves and not steps:
        others += [MovePart(one) for one in moves]
    others = [part for part in others if not (steps and len(sides) == 1 and isinstance(part, SidePart))]
    return steps, tuple(others)


def _way_of(verbs: AbstractSet[Verb]) -> Way | None:
    if "up" in verbs:
        return "up"
    return "down" if "down" in verbs else "better" if "improve" in verbs else None


def _sized(part: Part, metric: Metric | None, *, has_move: bool, way: Way | None) -> ChangePart | None:
    """Read a number as how far, where points or a movement say so: `a drop in recall of at most 2 points`."""
    if not isinstance(part, BoundPart) or part.upper is not None or metric is None:
        return None
    is_step = part.quantity.unit == "points" or (part.quantity.unit == "%" and metric.counted == "number")
    if has_move:
        return ChangePart(part.quantity, "most" if part.side == "ceiling" else "least")
    return ChangePart(part.quantity, "least") if is_step and part.is_bare and way is not None else None


def _step(change: ChangePart, way: Way | None, metric: Metric | None) -> Step:
    is_better = way in {None, "better"} or (metric is not None and way == ("up" if metric.better == "higher" else "down"))
    if change.limit == "least":
        return Step(change.quantity, "improve", is_a_goal=is_better and way is not None)
    return Step(change.quantity, "hold", is_a_goal=not is_better)
