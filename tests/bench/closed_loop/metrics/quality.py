"""Live quality: every row scored by the version that was live at its event time, period by period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from tests.bench.closed_loop.metrics.measures import Metric, measure
from tests.bench.closed_loop.metrics.scored import Scored, Span

NEARLY_ALL = 0.95
"""A policy must have scored this share of a period's labelled rows, or the figure would be that of other rows."""

LEAST_GAP = 0.01
"""Where the oracle isn't this much better than doing nothing, a share of the gap means nothing."""


class PeriodQuality(NamedTuple):
    """A policy's quality over one period. `rows` have a truth, `scored` of them a score; None: it has no value."""

    span: Span
    rows: int
    scored: int
    value: float | None

    @property
    def is_covered(self) -> bool:
        """Whether nearly all rows with a truth have a score."""
        return self.scored >= NEARLY_ALL * self.rows


class Quality(NamedTuple):
    """A policy's quality by period, larger is better."""

    metric: Metric
    periods: tuple[PeriodQuality, ...]

    @property
    def mean(self) -> float | None:
        """The plain mean over the periods that have a value, whatever their number of rows; None when none has one."""
        values = [one.value for one in self.periods if one.value is not None]
        return fmean(values) if values else None


def live_quality(scored: Scored, metric: Metric, spans: Iterable[Span]) -> Quality:
    """Measure a policy over periods.

    Rows without a truth are left out. A period has no value when it is empty, when less than `NEARLY_ALL` of its rows have a
    score, or when the measure has none (one class only).
    """
    return Quality(metric, tuple(_period(scored.within(span), metric, span) for span in spans))


def shared_means(qualities: Sequence[Quality]) -> tuple[float, ...] | None:
    """Return each policy's mean over those periods that have a value for all of them; None when there is no such period.

    Raises:
        ValueError: the policies were measured over different periods.
    """
    if len({tuple(one.span for one in quality.periods) for quality in qualities}) > 1:
        raise ValueError("these policies were measured over different periods")
    together = [[one.value for one in same] for same in zip(*(quality.periods for quality in qualities), strict=True)]
    kept = [[value for value in values if value is not None] for values in together if None not in values]
    return tuple(fmean(values) for values in zip(*kept, strict=True)) if kept else None


def recovered_share(policy: Quality, never: Quality, oracle: Quality) -> float | None:
    """Return (policy - never) / (oracle - never) over the periods from the incident to the horizon.

    The means are over the periods that all three have a value for. Below 0 is worse than doing nothing, above 1 better than
    the oracle. None when no period is shared or oracle - never is under `LEAST_GAP`.
    """
    means = shared_means([policy, never, oracle])
    if means is None:
        return None
    ours, alone, best = means
    # Differences of means carry rounding errors: a gap of exactly 0.01 counts.
    return (ours - alone) / (best - alone) if best - alone >= LEAST_GAP - 1e-12 else None


def share_of_oracle(policy: Quality, oracle: Quality) -> float | None:
    """Return policy / oracle over the periods both have a value for; None without any, and where the oracle is not above 0."""
    means = shared_means([policy, oracle])
    return means[0] / means[1] if means is not None and means[1] > 0 else None


def shortfall(policy: Quality, other: Quality) -> float | None:
    """Return how far a policy is below another over the periods that both have a value for; below 0: it is better."""
    means = shared_means([policy, other])
    return means[1] - means[0] if means is not None else None


def _period(rows: Scored, metric: Metric, span: Span) -> PeriodQuality:
    usable = rows.usable()
    found = PeriodQuality(span, len(rows.labelled().label), len(usable.label), None)
    if not found.rows or not found.is_covered:
        return found
    value = measure(metric, usable.label, usable.score)
    return found._replace(value=value if np.isfinite(value) else None)
