"""What driftwake noticed, said and did."""

from __future__ import annotations

from tests.bench.closed_loop.measured.case import HOUR_MS, NOT_FOR_IT, Judged, Part, actions, causes
from tests.bench.closed_loop.metrics.detection import detection
from tests.bench.closed_loop.metrics.judgement import Diagnosed, acted
from tests.bench.closed_loop.metrics.scored import Span
from tests.bench.closed_loop.runner import DRIFTWAKE


def opened(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the incidents."""
    if policy != DRIFTWAKE:
        return NOT_FOR_IT
    span = judged.played_span(part)
    return float(sum(span.since_ms <= one.opened_ms < span.until_ms for one in judged.played.incidents))


def hours_to_detect(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the virtual hours from onset to the first incident of its acceptance window."""
    if policy != DRIFTWAKE or judged.onset_ms is None:
        return NOT_FOR_IT
    span = judged.scored_span(part)
    moments = [one.opened_ms for one in judged.played.incidents]
    delay_ms = detection(moments, [judged.onset_ms], Span(min(span.since_ms, judged.onset_ms), span.until_ms)).delays_ms[0]
    return None if delay_ms is None else delay_ms / HOUR_MS


def hours_to_hold_out(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the virtual hours from onset to the first row that was held out."""
    if policy != DRIFTWAKE or judged.onset_ms is None:
        return NOT_FOR_IT
    served, until_ms = judged.played.served, judged.scored_span(part).until_ms
    held = served.time_ms[served.flagged & (served.time_ms >= judged.onset_ms) & (served.time_ms < until_ms)]
    return float(held[0] - judged.onset_ms) / HOUR_MS if len(held) else None


def diagnosed(judged: Judged) -> Diagnosed:
    """Return what was said beside what would be right."""
    return Diagnosed(judged.scenario.id, judged.scenario.truth.diagnosis, tuple(causes(judged)))


def right_diagnosis(judged: Judged, policy: str, _part: Part) -> float | None:
    """Return 1 where the diagnosis is right, else 0."""
    return float(diagnosed(judged).is_right) if policy == DRIFTWAKE else NOT_FOR_IT


def forbidden(judged: Judged, policy: str, _part: Part) -> float | None:
    """Count forbidden actions."""
    truth = judged.scenario.truth
    return float(acted(actions(judged), truth.actions, truth.forbidden).forbidden) if policy == DRIFTWAKE else NOT_FOR_IT
