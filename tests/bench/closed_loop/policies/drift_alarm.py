"""Retrain whenever the inputs look different: what a team gets that wires a drift test to its training."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from streams.contracts.schema import Column
from tests.bench.closed_loop.policies.base import DAY_MS, WEEK_MS, Moment, Retrain, World
from tests.bench.closed_loop.policies.grid import Grid
from tests.bench.closed_loop.policies.trailing import trailing

LEVEL = 0.05
REFERENCE_ROWS = 5_000
# A test looks at so many whole days that this many rows come in them on average: a day of a slow stream says nothing.
ROWS_OF_A_TEST = 1_000
# It is silent for so long after it asked, or for so many tests' spans where that is longer: at thousands of rows a day such a
# test fails on every single one, and nobody trains on alarms more often than by the calendar.
COOL_DOWN_MS, COOL_DOWN_SPANS = WEEK_MS, 3
# Below this many known values the asymptotic distribution of the test is no good.
FEWEST = 30


class DriftAlarm:
    """Compares the requests of each span of days with the first champion's training rows, column by column, without any gate.

    A span is the shortest whole number of days in which 1,000 rows come, at the pace of the champion's training rows. Having
    asked for a retrain it is silent for a week, or 3 spans where they are longer, as alerting with a cool-down is.

    Two-sample Kolmogorov-Smirnov with Bonferroni's correction over the feature columns. Categories are coded by how frequent
    they are in the reference, unseen ones behind all of it, because the test needs an order. Windows aren't in requests, so
    they aren't tested. Source: Hodges, J. L. (1958), "The significance probability of the Smirnov two-sample test", Arkiv för
    Matematik 3, 469-486.

    Args:
        world: what it plays in.
        rng: draws the reference's rows where there are more than 5,000.
    """

    name = "drift_alarm"
    who = (
        "retrains when the inputs of a day, or of as many days as 1,000 rows take, fail a Kolmogorov-Smirnov test "
        "(Bonferroni, 5 %), and is silent for a week or three such spans then; no gate"
    )

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world = world
        rows = world.champion_rows
        self._span_ms = _span_ms(rows)
        self._spans = Grid(world, self._span_ms)
        self._silent_until_ms = world.start_ms
        drawn = np.sort(rng.choice(len(rows), min(REFERENCE_ROWS, len(rows)), replace=False))
        self._references = [_Reference(column, rows[column.name].iloc[drawn]) for column in world.schema.features]
        self._held: list[pd.DataFrame] = []

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when a span has ended in which any column differs."""
        if len(moment.requests):
            self._held.append(moment.requests)
        end_ms = self._spans.passed(moment.time_ms)
        if end_ms is None or not self._held:
            return None
        rows = self._take(end_ms)
        differing = self._differing(rows) if end_ms >= self._silent_until_ms else []
        wanted = trailing(self._world, end_ms, f"inputs differ: {', '.join(differing)}") if differing else None
        if wanted is not None:
            self._silent_until_ms = end_ms + max(COOL_DOWN_MS, COOL_DOWN_SPANS * self._span_ms)
        return wanted

    def _take(self, end_ms: int) -> pd.DataFrame:
        """Return the requests of the span that ended, and keep only later ones."""
        rows = pd.concat(self._held)
        later = rows[rows["time_ms"] >= end_ms]
        self._held = [later] if len(later) else []
        return rows[rows["time_ms"].between(end_ms - self._span_ms, end_ms, inclusive="left")]

    def _differing(self, rows: pd.DataFrame) -> list[str]:
        level = LEVEL / len(self._references)
        return [one.name for one in self._references if one.p_value(rows[one.name]) < level]


def _span_ms(rows: pd.DataFrame) -> int:
    """Return how long one test's rows are collected, in whole days, at the pace of these rows."""
    days = float(rows["time_ms"].max() - rows["time_ms"].min()) / DAY_MS
    return max(1, math.ceil(ROWS_OF_A_TEST * days / len(rows))) * DAY_MS


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
        """Test a span's values against the reference's; 1 where either has too few. Missing ones are left out."""
        found = self._coded(values)
        if min(len(found), len(self._values)) < FEWEST:
            return 1.0
        return float(stats.ks_2samp(self._values, found, method="asymp").pvalue)

    def _coded(self, values: pd.Series) -> npt.NDArray[np.float64]:
        known = values.dropna()
        if self._ranks is not None:
            known = known.map(self._ranks).fillna(len(self._ranks))
        return known.to_numpy(np.float64)
