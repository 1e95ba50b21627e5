"""What every detector must satisfy. Run over each kind by the tests; outsiders import it for theirs.

The world of the checks is synthetic: independent rows, scores that are true probabilities, and a broken variant in which
everything that a kind could watch has changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType

import msgspec
from scipy import stats

from streams.contracts.events import KINDS
from streams.contracts.schema import Task
from streams.detectors._world import DAY_MS, World
from streams.detectors.base import Finding, Floors, Setup

__all__ = ["DAY_MS", "World", "check_loud", "check_nothing", "check_repeatable", "check_silent", "setup_of", "significant"]


def setup_of(task: Task = "binary", level: float = 0.02) -> Setup:
    """Return the setup that the checks open detectors with: buckets of a day, a window of a week."""
    return Setup(task=task, level=level, floors=Floors(), bucket_ms=DAY_MS, window_ms=7 * DAY_MS, min_rows=200)


def significant(findings: Sequence[Finding], rate: float) -> list[Finding]:
    """Return what is significant at a chance of `rate` over all findings without a level of their own (Bonferroni)."""
    tests = max(sum(finding.level is None for finding in findings), 1)
    return [one for one in findings if one.p_value <= (rate / tests if one.level is None else one.level)]


def check_silent(kind: ModuleType, task: Task = "binary", *, worlds: int = 10, buckets: int = 30, rate: float = 0.02) -> None:
    """On new draws from the reference it is significant in no more buckets than the rate allows (one in 10^4 checks errs).

    Raises:
        AssertionError: there were more.
    """
    alarming = 0
    for seed in range(worlds):
        world, detector = World(seed, task), kind.open_detector(setup_of(task, rate))
        try:
            alarming += sum(bool(significant(detector.look(world.view(index)), rate)) for index in range(buckets))
        finally:
            detector.close()
    most = int(stats.binom.isf(1e-4, worlds * buckets, rate))
    if alarming > most:
        raise AssertionError(f"{alarming} of {worlds * buckets} quiet buckets are significant at {rate}; at most {most} may be")


def check_loud(kind: ModuleType, task: Task = "binary") -> None:
    """When everything is broken it finds something significant and large, within fifteen buckets, of a kind it declares.

    Raises:
        AssertionError: it stays silent, or names another kind.
    """
    world, detector = World(1, task), kind.open_detector(setup_of(task))
    views = [world.view(index, is_broken=index >= 15) for index in range(30)]
    try:
        found = [finding for view in views for finding in significant(detector.look(view), 0.02) if finding.is_large]
    finally:
        detector.close()
    if not found:
        raise AssertionError("it stayed silent though everything was broken")
    strange = {finding.kind for finding in found} - (set(kind.KINDS) & set(KINDS))
    if strange:
        raise AssertionError(f"it raised {sorted(strange)}, which KINDS or the contract doesn't name")


def check_repeatable(kind: ModuleType, task: Task = "binary") -> None:
    """Folded again over the same views it finds the same, every number is finite, and the views are as they were.

    Raises:
        AssertionError: a finding or a view differs.
    """
    world = World(2, task)
    views = [world.view(index, is_broken=index >= 12) for index in range(20)]
    before = msgspec.json.encode(views)
    runs = []
    for _ in range(2):
        detector = kind.open_detector(setup_of(task))
        try:
            runs.append([detector.look(view) for view in views])
        finally:
            detector.close()
    if runs[0] != runs[1]:
        raise AssertionError("the same views gave other findings")
    if msgspec.json.encode(views) != before:
        raise AssertionError("it changed a view")
    # Findings travel as JSON, which knows no numpy numbers.
    msgspec.json.encode(runs[0])
    for finding in (one for findings in runs[0] for one in findings):
        numbers = (finding.p_value, finding.effect, finding.floor, *finding.before.values(), *finding.after.values())
        if not all(math.isfinite(number) for number in numbers) or not 0 <= finding.p_value <= 1:
            raise AssertionError(f"numbers that are none: {finding}")


def check_nothing(kind: ModuleType, task: Task = "binary") -> None:
    """A bucket without rows gives no verdict, alone and between others.

    Raises:
        AssertionError: it gave one.
    """
    world, detector = World(3, task), kind.open_detector(setup_of(task))
    try:
        for index in range(4):
            view = world.view(index)
            if detector.look(view if index % 2 else view._replace(inputs=None, losses=None)) and not index % 2:
                raise AssertionError("it gave a verdict on nothing")
    finally:
        detector.close()
