"""What every detector must satisfy. Run over each kind by the tests; outsiders import it for theirs.

The world of the checks is synthetic: independent rows, scores that are true probabilities, and a broken variant in which
everything that a kind could watch has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import cast

import msgspec
import numpy as np
from scipy import stats

from streams.contracts.events import KINDS
from streams.contracts.schema import Task
from streams.detectors._world import DAY_MS, World
from streams.detectors.base import BucketView, Detector, Floats, Floors, Readings, Setup

__all__ = [
    "DAY_MS",
    "Check",
    "World",
    "check_loud",
    "check_names",
    "check_nothing",
    "check_order",
    "check_repeatable",
    "check_silent",
    "setup_of",
]

Check = Callable[[ModuleType, Task], None]

# Beyond this an alarm of a check is no chance: one look in a billion.
_FAR = 6.0
# How often the mean of many standardised levels may be as far as the check allows.
_RARE = 1e-5
_COORDINATES = 12
_KEPT = 128
# Broken, of so many days one has requests.
_SPARSE = 10


def setup_of(world: World) -> Setup:
    """Return the setup that the checks open detectors with: buckets of a day, in which labels come."""
    return Setup(world.manifest, world.profile, Floors(), DAY_MS, lambda: world.reference, lambda: world.answer, DAY_MS)


def open_in(kind: ModuleType, world: World) -> Detector:
    """Open a kind in a world."""
    return cast("Detector", kind.open_detector(setup_of(world)))


def opened(kind: ModuleType, seed: int, task: Task) -> tuple[World, Detector]:
    """Open a kind in a new world; in one with an embedding too where it has nothing to watch in one without."""
    world = World(seed, task)
    detector = open_in(kind, world)
    if detector.signals:
        return world, detector
    detector.close()
    world = World(seed, task, coordinates=_COORDINATES)
    return world, open_in(kind, world)


@lru_cache(maxsize=_KEPT)
def _quiet(seed: int, task: Task, buckets: int) -> tuple[World, list[BucketView]]:
    """A world and its first undisturbed buckets, kept since each kind is asked for the same."""
    world = World(seed, task)
    return world, [world.view(index) for index in range(buckets)]


def usual_of(detector: Detector, found: Sequence[Readings]) -> Readings:
    """Return what is usual of each signal [m]: the reference, or the mean of undisturbed buckets where there is none.

    The latter is what would be learnt of a signal before anything is said of it.
    """
    has_none = np.array([not signal.reference for signal in detector.signals])
    level, effect = (
        np.where(has_none, np.nanmean([readings[part] for readings in found], axis=0), 0.0) if has_none.any() else 0.0 * has_none
        for part in (0, 2)
    )
    return Readings(level, np.zeros(len(has_none)), effect)


def standardised(readings: Readings, usual: Readings) -> Floats:
    """Return levels in deviations of what chance makes of them [m]."""
    return (readings.level - usual.level) * np.sqrt(readings.rows)


def check_silent(kind: ModuleType, task: Task = "binary", *, worlds: int = 60, buckets: int = 10) -> None:
    """On new draws from the reference, levels lie about 0 with a deviation of at most 1, and none lies far out.

    Each world draws a reference of its own, whose error is as large as that of a bucket's third; over all worlds it is chance
    too.

    Raises:
        AssertionError: they don't.
    """
    found: list[Readings] = []
    for seed in range(worlds):
        world, views = _quiet(seed, task, buckets)
        detector = open_in(kind, world)
        if not detector.signals:
            detector.close()
            world = World(seed, task, coordinates=_COORDINATES)
            detector, views = open_in(kind, world), [world.view(index) for index in range(buckets)]
        try:
            found += [detector.read(view) for view in views]
        finally:
            detector.close()
        if not detector.signals:
            return
    usual = usual_of(detector, found)
    levels = np.array([standardised(readings, usual) for readings in found]).reshape(worlds, buckets, -1)
    doubt = 1 + world.rows / world.profile.rows
    far = np.nanmax(levels)
    if far > _FAR * math.sqrt(doubt):
        raise AssertionError(f"a quiet bucket lies {far:.1f} deviations out")
    means = np.nanmean(levels, axis=(0, 1))
    most = stats.norm.isf(_RARE) * math.sqrt((1 / buckets + world.rows / world.profile.rows) / worlds)
    rises_only = np.array([signal.rises_only for signal in detector.signals])
    if (np.where(rises_only, means, np.abs(means)) > most).any():
        raise AssertionError(f"levels of quiet buckets lie about {means.round(2)}; {most:.2f} may be")
    widest = float(np.sqrt(np.nanmean(levels**2, axis=(0, 1)).max()))
    if widest > math.sqrt(doubt) * 1.25:
        raise AssertionError(f"levels of quiet buckets have a deviation of {widest:.2f}; about {math.sqrt(doubt):.2f} may be")


def check_loud(kind: ModuleType, task: Task = "binary") -> None:
    """When everything is broken some signal lies far out and its effect is above its floor, within fifteen buckets.

    Raises:
        AssertionError: it stays silent, or can't show it.
    """
    world, detector = opened(kind, 1, task)
    views = [world.view(day) for day in range(15)]
    # Requests come on one day in ten alone.
    views += [world.view(15 + _SPARSE * number, is_broken=True) for number in range(1, 16)]
    try:
        usual = usual_of(detector, [detector.read(view) for view in views[:15]])
        for number, view in enumerate(views[15:], 15):
            readings = detector.read(view)
            levels = standardised(readings, usual)
            far = np.where([signal.rises_only for signal in detector.signals], levels, np.abs(levels))
            effect = np.abs(readings.effect - usual.effect)
            loud = (far > _FAR) & (effect >= [signal.floor for signal in detector.signals])
            if loud.any():
                _check_shown(detector, int(np.argmax(loud)), views[number : number + 1])
                return
    finally:
        detector.close()
    if detector.signals:
        raise AssertionError("it stayed silent though everything was broken")


def check_repeatable(kind: ModuleType, task: Task = "binary") -> None:
    """Over the same views it reads the same, and the views are as they were.

    Raises:
        AssertionError: a reading or a view differs.
    """
    world, detector = opened(kind, 2, task)
    views = [world.view(index, is_broken=index >= 12) for index in range(20)]
    before = msgspec.json.encode(views)
    runs = []
    for number in range(2):
        detector = open_in(kind, world) if number else detector
        try:
            runs.append([detector.read(view) for view in views])
        finally:
            detector.close()
    for one, other in zip(*runs, strict=True):
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)):
            raise AssertionError("the same views gave other readings")
        if any(np.isinf(part).any() for part in one):
            raise AssertionError("numbers that are none: infinite")
    if msgspec.json.encode(views) != before:
        raise AssertionError("it changed a view")


def check_nothing(kind: ModuleType, task: Task = "binary") -> None:
    """A bucket without rows says nothing, alone and between others.

    Raises:
        AssertionError: it said something.
    """
    world, detector = opened(kind, 3, task)
    try:
        for index in range(4):
            view = world.view(index)
            readings = detector.read(view if index % 2 else view._replace(inputs=None, losses=None, requests=None))
            if not index % 2 and not (np.isnan(readings.level).all() and not readings.rows.any()):
                raise AssertionError("it gave a reading of nothing")
    finally:
        detector.close()


def check_names(kind: ModuleType, task: Task = "binary") -> None:
    """Signals have names of their own and kinds of the contract, and every reading has one number for each.

    Raises:
        AssertionError: they don't.
    """
    world, detector = opened(kind, 4, task)
    try:
        names = [signal.name for signal in detector.signals]
        if len(set(names)) != len(names):
            raise AssertionError("two signals have one name")
        strange = {signal.kind for signal in detector.signals} - set(KINDS)
        if strange:
            raise AssertionError(f"it raises {sorted(strange)}, which the contract doesn't name")
        if {part.shape for part in detector.read(world.view(0))} != {(len(names),)}:
            raise AssertionError("a reading needs one number for each signal")
    finally:
        detector.close()


def check_order(kind: ModuleType, task: Task = "binary") -> None:
    """The order in which a summary names columns changes nothing.

    Raises:
        AssertionError: it does.
    """
    world = World(5, task, coordinates=_COORDINATES)
    profile = msgspec.structs.replace(
        world.profile,
        numbers=world.profile.numbers | {"length": world.profile.numbers["size"]},
        categories=world.profile.categories | {"shade": world.profile.categories["colour"]},
    )
    first, second = world.view(0).inputs, world.view(1).inputs
    if first is None or second is None:
        raise AssertionError("the world's buckets have inputs")
    both = msgspec.structs.replace(
        first,
        numbers=first.numbers | {"length": second.numbers["size"]},
        categories=first.categories | {"shade": second.categories["colour"]},
        sample=[(row, values | {"length": values["size"], "shade": values["colour"]}) for row, values in first.sample],
    )
    turned = msgspec.structs.replace(
        both,
        numbers=dict(reversed(both.numbers.items())),
        categories=dict(reversed(both.categories.items())),
        sample=[(row, dict(reversed(values.items()))) for row, values in both.sample],
    )
    reference = world.reference
    for name, like in (("length", "size"), ("shade", "colour")):
        reference = reference.append_column(name, reference.column(like))
    found = []
    for inputs in (both, turned):
        detector = cast("Detector", kind.open_detector(setup_of(world)._replace(profile=profile, read_rows=lambda: reference)))
        try:
            found.append(detector.read(world.view(0)._replace(inputs=inputs, losses=None)))
        finally:
            detector.close()
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*found, strict=True)):
        raise AssertionError("another order of columns gave other readings")


def _check_shown(detector: Detector, index: int, views: Sequence[BucketView]) -> None:
    sketch = detector.sketch(index, views)
    # Sketches travel as JSON, which knows no numpy numbers.
    msgspec.json.encode(sketch)
    if not sketch.after or not all(math.isfinite(value) for part in sketch for value in part.values()):
        raise AssertionError(f"nothing to show, or numbers that are none: {sketch}")
