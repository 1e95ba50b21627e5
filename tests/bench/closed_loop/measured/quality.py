"""How good the answers were, and how soon again."""

from __future__ import annotations

import math

from tests.bench.closed_loop.data.base import Further
from tests.bench.closed_loop.measured.case import HOUR_MS, NEVER, NOT_FOR_IT, ORACLE, WEEKLY, Judged, Part
from tests.bench.closed_loop.metrics.measures import Metric
from tests.bench.closed_loop.metrics.quality import Quality, live_quality, recovered_share, share_of_oracle, shortfall
from tests.bench.closed_loop.metrics.recovery import time_to_recover
from tests.bench.closed_loop.metrics.scored import DAY_MS, Span, spans_of

_WINDOWS_MS = {"week": 7 * DAY_MS, "month": 30 * DAY_MS, "all": DAY_MS}


def live(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the mean live quality."""
    return judged.quality(policy, judged.scored_span(part)).mean


def below_weekly(judged: Judged, policy: str, part: Part) -> float | None:
    """Return how far a policy is below the weekly one."""
    pair = _against(judged, policy, WEEKLY, part)
    return shortfall(*pair) if pair else NOT_FOR_IT


def of_oracle(judged: Judged, policy: str, part: Part) -> float | None:
    """Return a policy's quality as a share of the oracle's."""
    pair = _against(judged, policy, ORACLE, part)
    return share_of_oracle(*pair) if pair else NOT_FOR_IT


def recovered(judged: Judged, policy: str, part: Part) -> float | None:
    """Return how much of what the oracle wins over doing nothing a policy wins too."""
    pair = _against(judged, policy, ORACLE, part)
    if pair is None or NEVER not in judged.played.served.scores or policy == NEVER or judged.onset_ms is None:
        return NOT_FOR_IT
    span = judged.scored_span(part)
    after = Span(max(span.since_ms, judged.onset_ms), span.until_ms)
    ours, never, oracle = (judged.quality(name, after) for name in (policy, NEVER, ORACLE))
    return recovered_share(ours, never, oracle)


def hours_to_recover(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the virtual hours from onset until a policy is back at the oracle's level; None when it never is."""
    return _recovery(judged, policy, part)[0]


def labels_to_recover(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the labelled rows until then; None when there is no then."""
    return _recovery(judged, policy, part)[1]


def brier(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the mean Brier score, where the data ask for it; less is better."""
    found = _further(judged, policy, part, "brier", "negative_brier")
    return found if found is None or math.isinf(found) else -found


def kappa_temporal(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the mean kappa-temporal, where the data ask for it."""
    return _further(judged, policy, part, "kappa_temporal", "kappa_temporal")


def _further(judged: Judged, policy: str, part: Part, asked: Further, metric: Metric) -> float | None:
    data = judged.data
    if asked not in data.further:
        return NOT_FOR_IT
    return live_quality(judged.scored(policy), metric, spans_of(data.group, judged.scored_span(part), data.zone)).mean


def _against(judged: Judged, policy: str, other: str, part: Part) -> tuple[Quality, Quality] | None:
    if other not in judged.played.served.scores or policy == other:
        return None
    span = judged.scored_span(part)
    return judged.quality(policy, span), judged.quality(other, span)


def _recovery(judged: Judged, policy: str, part: Part) -> tuple[float | None, float | None]:
    if judged.onset_ms is None or ORACLE not in judged.played.served.scores:
        return NOT_FOR_IT, NOT_FOR_IT
    refits = [one.ready_ms for one in judged.played.trained if one.policy == ORACLE and one.is_accepted]
    found = time_to_recover(
        judged.scored(policy),
        judged.scored(ORACLE),
        judged.data.metric,
        horizon=Span(judged.onset_ms, judged.scored_span(part).until_ms),
        settled_ms=max(refits, default=judged.onset_ms),
        window_ms=_WINDOWS_MS[judged.data.group],
    )
    if found.level is None:
        return NOT_FOR_IT, NOT_FOR_IT
    return None if found.after_ms is None else found.after_ms / HOUR_MS, None if found.rows is None else float(found.rows)
