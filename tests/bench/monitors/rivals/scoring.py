"""What makes an alarm, a false alarm and a delay: the same rules for every tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ROWS = 100
MONTH_BUCKETS = 720
ASKED = 2.0
"""False alarms a month, driftwake's default; every other tool is set to the same."""
QUIET = 3
"""Buckets without alarm after which the next is another one: driftwake's `clear_after`."""
DAY = 24
HOLDS = 1.1
"""Driftwake's mean delay may be so many times that of the best of the others."""


class Delays(NamedTuple):
    """What a tool made of a change: the share of streams it was found in, its restricted mean delay and that one's error."""

    found: float
    mean: float
    error: float


def alarms(up: Flags) -> int:
    """Count the alarms of a stream [T]: one begins after at least `QUIET` buckets without.

    One that goes on is counted again each day, or a tool that alarms always would have a single false alarm.
    """
    at = np.flatnonzero(up)
    parts = np.split(at, np.flatnonzero(np.diff(at) > QUIET) + 1) if len(at) else []
    return sum(1 + int(part[-1] - part[0]) // DAY for part in parts)


def threshold_of(values: Floats, asked: float) -> float:
    """Return from where on values [T] of a calm stream are as many alarms as are asked for, or as near below as ties allow.

    It lies half-way to the next lower value. NaN is no alarm.
    """
    levels = np.unique(values[~np.isnan(values)])[::-1]
    if not len(levels):
        return float("inf")
    higher = np.nextafter(levels[0], np.inf)
    for level in levels:
        if alarms(values >= level) > asked:
            break
        higher = level
    lower = levels[levels < higher]
    return float((higher + lower[0]) / 2) if len(lower) and higher <= levels[0] else float(higher)


def setting_of(grid: Sequence[float], counts: Sequence[int], asked: float) -> float:
    """Return the setting at which as many alarms begin as are asked for, between those that were tried.

    Args:
        grid: settings, positive, from the most sensitive one on.
        counts: how many alarms each raised in a calm stream.
        asked: how many there may be.
    """
    few = next((number for number, count in enumerate(counts) if count <= asked), len(grid) - 1)
    if few == 0 or counts[few] > asked:
        return float(grid[few])
    many, fewer = (np.log(counts[number] + 0.5) for number in (few - 1, few))
    part = np.clip((many - np.log(asked + 0.5)) / (many - fewer), 0.0, 1.0)
    return float(np.exp(np.log(grid[few - 1]) + part * (np.log(grid[few]) - np.log(grid[few - 1]))))


def delays(found: Sequence[int | None], horizon: int) -> Delays:
    """Sum up after how many buckets a change was found in each stream; where it wasn't (None) the horizon counts.

    Source of the restricted mean: Royston, P. and Parmar, M. K. B. (2013), "Restricted mean survival time", BMC Medical Research
    Methodology 13, 152.
    """
    times = np.array([horizon if one is None else one for one in found], np.float64)
    error = times.std(ddof=1) / np.sqrt(len(times)) if len(times) > 1 else np.nan
    return Delays(sum(one is not None for one in found) / len(found), float(times.mean()), float(error))


def first(up: Flags) -> int | None:
    """Return after how many buckets of a changed stream [T] there is an alarm."""
    return int(np.argmax(up)) + 1 if up.any() else None
