"""Retrain whenever the inputs look different: what a team gets that wires a drift test to its training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from streams.contracts.schema import Column
from tests.bench.closed_loop.policies.base import DAY_MS, Moment, Retrain, World
from tests.bench.closed_loop.policies.grid import Grid
from tests.bench.closed_loop.policies.trailing import trailing

LEVEL = 0.05
REFERENCE_ROWS = 5_000
# Below this many known values the asymptotic distribution of the test is no good.
FEWEST = 30


class DriftAlarm:
    """Compares each day's requests with the first champion's training rows, column by column, without any gate.

    Two-sample Kolmogorov-Smirnov with Bonferroni's correction over the feature columns. Categories are coded by how frequent
    they are in the reference, unseen ones behind all of it, because the test needs an order. Windows aren't in requests, so
    they aren't tested. Source: Hodges, J. L. (1958), "The significance probability of the Smirnov two-sample test", Arkiv för
    Matematik 3, 469-486.

    Args:
        world: what it plays in.
        rng: draws the reference's rows where there are more than 5,000.
    """

    name = "drift_alarm"
    who = "retrains on every day whose inputs fail a Kolmogorov-Smirnov test (Bonferroni, 5 %); no gate"

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world = world
        self._days = Grid(world, DAY_MS)
        rows = world.champion_rows
        drawn = np.sort(rng.choice(len(rows), min(REFERENCE_ROWS, len(rows)), replace=False))
        self._references = [_Reference(column, rows[column.name].iloc[drawn]) for column in world.schema.features]
        self._held: list[pd.DataFrame] = []

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when a day has ended on which any column differs."""
        if len(moment.requests):
            self._held.append(moment.requests)
        day_ms = self._days.passed(moment.time_ms)
        if day_ms is None or not self._held:
            return None
        differing = self._differing(self._take(day_ms))
        return trailing(self._world, day_ms, f"inputs differ: {', '.join(differing)}") if differing else None

    def _take(self, day_ms: int) -> pd.DataFrame:
        """Return the requests of the day that ended, and keep only later ones."""
        rows = pd.concat(self._held)
        later = rows[rows["time_ms"] >= day_ms]
        self._held = [later] if len(later) else []
        return rows[rows["time_ms"].between(day_ms - DAY_MS, day_ms, inclusive="left")]

    def _differing(self, day: pd.DataFrame) -> list[str]:
        level = LEVEL / len(self._references)
        return [one.name for one in self._references if one.p_value(day[one.name]) < level]


class _Reference:
    """One column of the reference, and how its values become ordered numbers."""

    def __init__(self, column: Column, values: pd.Series) -> None:
        self.name = column.name
        self._ranks: dict[str, int] | None = None
        if column.kind == "category":
            # Ties in frequency are ordered by name, so that the ranks don't depend on the rows' order.
            counts = values.dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
            self._ranks = {str(value): rank for rank, value in enumerate(counts.index)}
        self._values = self._coded(values)

    def p_value(self, values: pd.Series) -> float:
        """Test a day's values against the reference's; 1 where either has too few. Missing ones are left out."""
        day = self._coded(values)
        if min(len(day), len(self._values)) < FEWEST:
            return 1.0
        return float(stats.ks_2samp(self._values, day, method="asymp").pvalue)

    def _coded(self, values: pd.Series) -> npt.NDArray[np.float64]:
        known = values.dropna()
        if self._ranks is not None:
            known = known.map(self._ranks).fillna(len(self._ranks))
        return known.to_numpy(np.float64)
