"""Columns that came in another unit: cents for euros, miles for kilometres. What undoes it tells people upstream what they did.

A break of this kind says itself what it is: converted back, the values are what they always were. A drift doesn't.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, Floats, Integers, floats, integers
from skills._kit.shifts import number_shares
from streams.contracts.bundle import NumberProfile, Profile
from streams.statistics.distances import psi

LEAST_ROWS = 100
MOST_ROWS = 20_000
# By PSI: from when on a column is looked at, and up to where it counts as what it always was.
_MOVED, _USUAL = 0.25, 0.1
# Quartiles may be off by so much of the distance between the outer two. A drift is near some small factor by chance.
_NEAR, _NEAR_SMALL, _SMALL = 0.1, 0.05, 5.0
_QUARTILES = (0.25, 0.5, 0.75)
# So many of the values lie far outside where only a part of the rows was converted.
_LEAST_PART = 0.05
_ENDS = (0.01, 0.99)


class Unit(NamedTuple):
    """Values came as the usual ones times `factor` plus `offset`."""

    factor: float
    offset: float = 0.0

    @property
    def inverse(self) -> Unit:
        """The other way round."""
        return Unit(1 / self.factor, -self.offset / self.factor)

    def of(self, values: Floats) -> Floats:
        """Convert."""
        converted: Floats = values * self.factor + self.offset
        return converted


_ONE_WAY: Final = (
    *(Unit(float(factor)) for factor in (10, 100, 1_000, 1_000_000, 60, 3_600, 24, 1_440, 86_400, 7)),
    # Inches, feet, miles; pounds, ounces; calories.
    *(Unit(factor) for factor in (2.54, 25.4, 0.3048, 1.609344, 0.45359237, 28.349523, 4.184)),
    # Fahrenheit and Kelvin.
    Unit(1.8, 32.0), Unit(1.0, 273.15),
)  # fmt: skip
UNITS: Final = (*_ONE_WAY, *(unit.inverse for unit in _ONE_WAY), Unit(-1.0))
"""Conversions that people forget or do twice, and a sign."""


class Rescaled(msgspec.Struct, frozen=True, kw_only=True):
    """A column that came as its usual values times `factor` plus `offset`, in `share` of the rows in [since, until).

    `psi` is how far it then was from the reference, `psi_undone` how far it is with these rows converted back.
    """

    feature: str
    factor: float
    offset: float
    since_ms: int
    until_ms: int
    share: float
    psi: float
    psi_undone: float


def rescaled(profile: Profile, predictions: pa.Table, names: Sequence[str]) -> list[Rescaled]:
    """Find columns that came in another unit, those that moved most first.

    Args:
        profile: the reference.
        predictions: what came, suspect rows among them: these are what is broken.
        names: of the numbers that may be looked at.
    """
    time_ms = integers(predictions, "time_ms")
    found = [
        _rescaled(name, profile.numbers[name], floats(predictions, name), time_ms) for name in names if name in profile.numbers
    ]
    return sorted((one for one in found if one is not None), key=lambda one: (-one.psi, one.feature))


def _rescaled(name: str, usual: NumberProfile, values: Floats, time_ms: Integers) -> Rescaled | None:
    known = np.isfinite(values)
    values, time_ms = values[known], time_ms[known]
    if len(values) < LEAST_ROWS or not usual.edges:
        return None
    far = _is_far(usual, values)
    since_ms, until_ms = _span(time_ms, far)
    inside = np.flatnonzero((time_ms >= since_ms) & (time_ms < until_ms))
    inside = inside[:: -(-len(inside) // MOST_ROWS)]
    values, far = values[inside], far[inside]
    before = _distance(usual, values)
    if before < _MOVED:
        return None
    best = min((tried for which in (np.ones_like(far), far) for tried in _tried(usual, values, which)), default=None)
    if best is None or best[0] > _USUAL:
        return None
    after, unit, share = best
    return Rescaled(
        feature=name, factor=unit.factor, offset=unit.offset, since_ms=since_ms, until_ms=until_ms,
        share=share, psi=before, psi_undone=after,
    )  # fmt: skip


def _is_far(usual: NumberProfile, values: Floats) -> Booleans:
    room = 0.5 * (usual.high - usual.low)
    far: Booleans = (values < usual.low - room) | (values > usual.high + room)
    return far


def _span(time_ms: Integers, far: Booleans) -> tuple[int, int]:
    """Return from when to when values were far outside; all of the time where few were, as where they became smaller."""
    if far.mean() < _LEAST_PART:
        return int(time_ms.min()), int(time_ms.max()) + 1
    first, last = np.quantile(time_ms[far], _ENDS)
    return int(first), int(last) + 1


def _distance(usual: NumberProfile, values: Floats) -> float:
    return psi(number_shares(usual, values), np.r_[np.array(usual.shares), 0.0])


def _tried(usual: NumberProfile, values: Floats, which: Booleans) -> list[tuple[float, Unit, float]]:
    """Undo each conversion in some of the rows; return (PSI, conversion, share of rows) of those that fit them."""
    if which.sum() < LEAST_ROWS:
        return []
    part, share = values[which], float(which.mean())
    wanted = np.interp(_QUARTILES, np.r_[0.0, np.cumsum(usual.shares)], [usual.low, *usual.edges, usual.high])
    found = []
    for unit in UNITS:
        undone = unit.inverse.of(part)
        near = _NEAR_SMALL if 1 / _SMALL < abs(unit.factor) < _SMALL else _NEAR
        off = np.abs(np.quantile(undone, _QUARTILES) - wanted).max()
        if off > near * (wanted[2] - wanted[0]):
            continue
        whole = values.copy()
        whole[which] = undone
        found.append((_distance(usual, whole), unit, share))
    return found
