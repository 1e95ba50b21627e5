"""How incidents meet what really happened.

Delay, time between false alarms and share missed are those of Bifet 2017, "Classifier concept drift detection and the illusion
of progress", counted over incidents instead of alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from tests.bench.closed_loop.metrics.scored import Span

ACCEPTED_SHARE = 0.2
"""An incident counts as a detection when it opens within this share of the segment from the onset on."""


class Detection(NamedTuple):
    """Incidents against onsets.

    `delays_ms` has one entry an onset in order of time, None where it was missed. `repeated` incidents opened within an
    acceptance window after its first one: neither detections nor false.
    """

    delays_ms: tuple[int | None, ...]
    missed_share: float | None
    false: int
    repeated: int
    between_false_ms: float | None

    @property
    def delay_ms(self) -> float | None:
        """The mean delay of what was detected; None when nothing was."""
        found = [delay for delay in self.delays_ms if delay is not None]
        return fmean(found) if found else None


def detection(opened_ms: Sequence[int], onsets_ms: Sequence[int], span: Span) -> Detection:
    """Match incidents with onsets inside a span of event time; incidents outside the span are left out.

    A segment goes from an onset to the next one or to the span's end; its acceptance window is the first fifth of it. An
    incident outside every window is false, also one that comes late: its onset is then missed as well. `missed_share` is None
    without onsets. `between_false_ms` is the time outside the windows over the number of false incidents; None without any.

    Raises:
        ValueError: onsets aren't increasing or lie outside the span.
    """
    edges = [*onsets_ms, span.until_ms]
    if any(later <= earlier for earlier, later in pairwise(edges)) or (onsets_ms and onsets_ms[0] < span.since_ms):
        raise ValueError(f"onsets {list(onsets_ms)} must increase and lie in {tuple(span)}")
    inside = sorted(moment for moment in opened_ms if span.since_ms <= moment < span.until_ms)
    accepted = [Span(onset, onset + round(ACCEPTED_SHARE * (end - onset))) for onset, end in pairwise(edges)]
    hits = [[moment for moment in inside if window.since_ms <= moment < window.until_ms] for window in accepted]
    delays = tuple(found[0] - window.since_ms if found else None for found, window in zip(hits, accepted, strict=True))
    false = len(inside) - sum(map(len, hits))
    quiet_ms = (span.until_ms - span.since_ms) - sum(window.until_ms - window.since_ms for window in accepted)
    return Detection(
        delays_ms=delays,
        missed_share=delays.count(None) / len(delays) if delays else None,
        false=false,
        repeated=sum(len(found) - 1 for found in hits if found),
        between_false_ms=quiet_ms / false if false else None,
    )
