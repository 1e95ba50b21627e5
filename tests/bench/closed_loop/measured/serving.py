"""Whether every request was answered once, and by the version that was live."""

from __future__ import annotations

import numpy as np

from tests.bench.closed_loop.measured.case import NOT_FOR_IT, Judged, Part, only_ours
from tests.bench.closed_loop.runner import DRIFTWAKE


def lost(judged: Judged, policy: str, _part: Part) -> float | None:
    """Count the requests without an answer."""
    return only_ours(float(judged.played.delivery.missing), policy)


def doubled(judged: Judged, policy: str, _part: Part) -> float | None:
    """Count the answers too many."""
    return only_ours(float(judged.played.delivery.doubled), policy)


def misattributed(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the answers that name another version than the one live at their event time."""
    if policy != DRIFTWAKE:
        return NOT_FOR_IT
    served, span = judged.played.served, judged.scored_span(part)
    ordered = sorted(judged.played.deployments, key=lambda one: (one.effective_ms, one.generation))
    places = np.searchsorted([one.effective_ms for one in ordered], served.time_ms, "right") - 1
    expected = np.array([one.champion for one in ordered], object)[places]
    inside = (served.time_ms >= span.since_ms) & (served.time_ms < span.until_ms)
    return float((served.digests[inside] != expected[inside]).sum())
