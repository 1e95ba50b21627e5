"""Whether a plan would only try again what was tried: in vain lately, or without a result on mostly the same rows. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from daemon.ledger.records import INCONCLUSIVE, Experiment
from daemon.planners.base import Change
from daemon.planning.config import PlanningConfig

_NOT_AGAINST: Final = frozenset({"closed", "running", INCONCLUSIVE})


def in_vain(tried: Sequence[Experiment], now_ms: int, config: PlanningConfig) -> list[Experiment]:
    """Return those of a configuration's experiments that speak against trying it again now."""
    return [one for one in tried if one.outcome not in _NOT_AGAINST and now_ms < one.time_ms + config.repeat_after.ms]


def too_soon(
    tried: Sequence[Experiment], sealed: tuple[int, int], change: Change | None, config: PlanningConfig, *, is_same: bool
) -> str:
    """Return why something can't be judged any better yet than it was before, the empty string when it can.

    How many rows are new is told from how many a plan finds since the change, as if they came evenly.

    Args:
        tried: what came of the same configuration before.
        sealed: the window that it would be judged on now.
        change: since when there are rows, and how many.
        config: which share of the rows must be new.
        is_same: whether it is the very same bundle, and not one that was learnt from other rows.
    """
    if any(one.sealed == sealed for one in tried):
        return "the same was tried on the very same rows"
    before = [one for one in tried if one.outcome == INCONCLUSIVE and one.sealed is not None]
    if not is_same or change is None or not before:
        return ""
    needed = max(max(one.lacked, math.ceil(config.fresh_share * one.rows)) for one in before)
    seen_ms = max(one.sealed[1] for one in before if one.sealed is not None)
    fresh = math.floor(change.rows * _share(sealed, seen_ms, change))
    if fresh >= needed:
        return ""
    return f"the same couldn't be judged before, and of {needed} new labelled rows that it takes there are about {fresh}"


def _share(sealed: tuple[int, int], seen_ms: int, change: Change) -> float:
    """Return which share of the time since a change is in a sealed window and was in no earlier one."""
    whole_ms = sealed[1] - change.since_ms
    return max(0, sealed[1] - max(sealed[0], seen_ms)) / whole_ms if whole_ms > 0 else 0.0
