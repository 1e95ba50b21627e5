"""What a gate is asked and answers. Called by the judging stage with everything that was measured of a challenger.

A gate is a claim, `daemon/gates/<claim>.py`, with `SPEC` and a pure function `check(evidence, limits)`. A single `fail`
refuses the challenger; a single `inconclusive` keeps it from passing: a missing proof is never taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

from streams.contracts.bundle import Interval

Outcome = Literal["pass", "fail", "inconclusive"]
Standing = Literal["met", "missed", "not_known"]


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """The judged metric on the same rows for both; `difference` is challenger less champion, higher is better."""

    name: str
    champion: float | Interval | None = None
    challenger: float | Interval | None = None
    difference: Interval | None = None


class SliceDifference(msgspec.Struct, frozen=True, kw_only=True):
    """The metric's difference on the rows of one slice (`column=value`, or whatever the comparison calls it)."""

    slice: str
    rows: int = 0
    difference: Interval | None = None


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Expected calibration error of both, in probability; lower is better."""

    champion: float | None = None
    challenger: float | None = None


class GoalReached(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one approved goal (`skills/_kit/goals.py` measures it).

    `champion` and `challenger` are the goal's metric on the rows of its cohort, with intervals at `level`, which allows for how
    many goals were measured; `difference` is challenger less champion, higher is better. Who wasn't measured is None, for the
    `reason`. The metric is to be at least `floor` and at most `ceiling`.
    """

    goal: str
    digest: str = ""
    metric: str = ""
    rows: int = 0
    cases: int = 0
    level: float = 0.95
    champion: Interval | None = None
    challenger: Interval | None = None
    difference: Interval | None = None
    floor: float | None = None
    ceiling: float | None = None
    over: str = ""
    reason: str = ""

    def standing(self, measured: Interval | None) -> Standing:
        """Say whether a measured value reaches the goal: where its interval holds a bound, that isn't known."""
        if measured is None or (self.floor is None and self.ceiling is None):
            return "not_known"
        if self.surely_misses(measured):
            return "missed"
        return "met" if not self.misses(measured.low) and not self.misses(measured.high) else "not_known"

    def surely_misses(self, measured: Interval) -> bool:
        """Whether no value of an interval reaches the goal."""
        is_below = self.floor is not None and measured.high < self.floor
        return is_below or (self.ceiling is not None and measured.low > self.ceiling)

    def misses(self, value: float) -> bool:
        """Whether a value is out of bounds."""
        return (self.floor is not None and value < self.floor) or (self.ceiling is not None and value > self.ceiling)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison measured. None: it wasn't.

    `onnx_max_difference` is between the graph and the booster it was made from; latency is in ms per 1,000 rows; `goals` is
    empty where none was to be measured.
    """

    rows: int = 0
    positives: int = 0
    metric: Metric | None = None
    slices: tuple[SliceDifference, ...] | None = None
    calibration: Calibration | None = None
    onnx_max_difference: float | None = None
    latency_ms_per_1000: float | None = None
    goals: tuple[GoalReached, ...] | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the claims are held against.

    `margin`: by how much the challenger must be better (its interval's lower end); negative allows it to be that much worse.
    `slice_tolerance`: how much worse it may be on a slice. `calibration_tolerance`: how much worse its calibration error.
    """

    least_rows: int = 500
    least_positives: int = 50
    margin: float = 0.0
    slice_rows: int = 200
    slice_tolerance: float = 0.02
    calibration_tolerance: float = 0.02
    onnx_tolerance: float = 1e-5
    latency_ms_per_1000: float = 50.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate says, with the numbers it said it from."""

    gate: str
    outcome: Outcome
    reason: str
    numbers: Mapping[str, float]


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A gate's name and the claim it checks, in words."""

    name: str
    claim: str


class Gate(Protocol):
    """A gate's module."""

    SPEC: Spec
    check: Callable[[Evidence, Limits], Finding]
