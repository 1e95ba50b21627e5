"""Policies by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from tests.bench.closed_loop.policies.base import Policy, World
from tests.bench.closed_loop.policies.daily import Daily
from tests.bench.closed_loop.policies.drift_alarm import DriftAlarm
from tests.bench.closed_loop.policies.loss_alarm import LossAlarm
from tests.bench.closed_loop.policies.never import Never
from tests.bench.closed_loop.policies.oracle import Oracle
from tests.bench.closed_loop.policies.oracle_feature import OracleFeature
from tests.bench.closed_loop.policies.weekly import Weekly

_MADE: Final[dict[str, Callable[[World, np.random.Generator], Policy]]] = {
    Never.name: lambda _world, _rng: Never(),
    Daily.name: lambda world, _rng: Daily(world),
    Weekly.name: lambda world, _rng: Weekly(world),
    DriftAlarm.name: DriftAlarm,
    LossAlarm.name: lambda world, _rng: LossAlarm(world),
    Oracle.name: lambda world, _rng: Oracle(world),
    OracleFeature.name: lambda world, _rng: OracleFeature(world),
}
NAMES = tuple(_MADE)


def make(name: str, world: World, rng: np.random.Generator) -> Policy:
    """Make a policy for one replay.

    Raises:
        ValueError: there is no such policy, or it can't play in this world.
    """
    if name not in _MADE:
        raise ValueError(f"no policy {name!r}; there are {', '.join(NAMES)}")
    return _MADE[name](world, rng)
