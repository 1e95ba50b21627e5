"""What swaps cost in latency: wall figures, which differ between two runs of the same scenario."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skills._kit.frames import Floats
from tests.bench.closed_loop.measured.case import NOT_FOR_IT, Judged, Part
from tests.bench.closed_loop.metrics.integrity import latency_ratio
from tests.bench.closed_loop.metrics.scored import Span
from tests.bench.closed_loop.runner import DRIFTWAKE


class Sides(NamedTuple):
    """Latencies of answers in milliseconds [answers]: of buckets without a swap, and of those in which a slot changed."""

    before: Floats
    during: Floats


def sides(judged: Judged, part: Part) -> Sides:
    """Tell the answers of swaps from the others: a swap is a bucket long, from when a slot of any policy changes."""
    span, found = judged.played_span(part), judged.played.latencies
    inside = (found.time_ms >= span.since_ms) & (found.time_ms < span.until_ms)
    swapping = np.zeros(len(inside), bool)
    for one in _swaps(judged):
        swapping |= (found.time_ms >= one.since_ms) & (found.time_ms < one.until_ms)
    return Sides(found.taken_ms[inside & ~swapping], found.taken_ms[inside & swapping])


def ratio(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the 99th percentile during swaps over that before; all policies share the stream, so it stands with driftwake."""
    return latency_ratio(*sides(judged, part)) if policy == DRIFTWAKE else NOT_FOR_IT


def _swaps(judged: Judged) -> list[Span]:
    changed = [after for before, after in pairwise(judged.played.deployments) if after.active != before.active]
    return [Span(one.effective_ms, one.effective_ms + judged.scenario.bucket.ms) for one in changed]
