"""How long a policy takes to come back after something happened."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.bench.closed_loop.metrics.measures import Metric
from tests.bench.closed_loop.metrics.quality import PeriodQuality, live_quality
from tests.bench.closed_loop.metrics.scored import Scored, Span, equal_spans

IN_A_ROW = 3
CLOSE_TO_ORACLE = 0.95


class Recovery(NamedTuple):
    """When a policy was back at the oracle's level.

    `level` is what had to be reached (None: not computable), `after_ms` the virtual time from the onset to the first window
    of the run that reached it, `rows` the labelled rows with an event time in between (None: not within the horizon).
    """

    level: float | None
    after_ms: int | None = None
    rows: int | None = None


def time_to_recover(
    policy: Scored, oracle: Scored, metric: Metric, *, horizon: Span, settled_ms: int, window_ms: int
) -> Recovery:
    """Find the first of three windows in a row at 95 % of the oracle's level.

    `horizon` begins at the onset and is cut into windows of `window_ms`. The oracle's level is its mean over the windows that
    begin at or after `settled_ms`, its last refit, before which it hasn't recovered itself; where fewer than three do, over
    the last three. For a measure below zero (an error) 95 % means no more than 5 % further from zero. Windows where the measure
    has no value for anybody (no truth, one class) are passed over; one that the policy left unscored breaks the run. Not
    computable when the oracle has no value there.
    """
    windows = equal_spans(horizon, window_ms)
    after = [one for one in windows if one.since_ms >= settled_ms]
    settled = live_quality(oracle, metric, after if len(after) >= IN_A_ROW else windows[-IN_A_ROW:]).mean
    if settled is None:
        return Recovery(None)
    level = settled - (1 - CLOSE_TO_ORACLE) * abs(settled)
    began = _first_run(live_quality(policy, metric, windows).periods, level)
    if began is None:
        return Recovery(level)
    return Recovery(level, began - horizon.since_ms, labelled_rows(policy, Span(horizon.since_ms, began)))


def labelled_rows(scored: Scored, span: Span) -> int:
    """Count the rows of a span whose truth is known: the clock of bars that are set in labels."""
    return len(scored.within(span).labelled().label)


def _first_run(windows: tuple[PeriodQuality, ...], level: float) -> int | None:
    run: list[int] = []
    for window in windows:
        if window.value is None and window.is_covered:
            continue
        # Means of equal numbers may differ in their last digit.
        reached = window.value is not None and (window.value >= level or bool(np.isclose(window.value, level, rtol=1e-12)))
        run = [*run, window.span.since_ms] if reached else []
        if len(run) == IN_A_ROW:
            return run[0]
    return None
