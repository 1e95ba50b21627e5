"""What driftwake noticed, said and did."""

from __future__ import annotations

from tests.bench.closed_loop.injections.family import BREAKING
from tests.bench.closed_loop.measured.case import HOUR_MS, NOT_FOR_IT, Judged, Part, actions, causes
from tests.bench.closed_loop.metrics.detection import Detection, detection
from tests.bench.closed_loop.metrics.judgement import Diagnosed, acted
from tests.bench.closed_loop.runner import DRIFTWAKE


def opened(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the incidents."""
    if policy != DRIFTWAKE:
        return NOT_FOR_IT
    span = judged.played_span(part)
    return float(sum(span.since_ms <= one.opened_ms < span.until_ms for one in judged.played.incidents))


def hours_to_detect(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the mean virtual hours from the onsets that were detected to their incidents."""
    found = _detection(judged, policy, part)
    if found is None or not found.delays_ms:
        return NOT_FOR_IT
    return None if found.delay_ms is None else found.delay_ms / HOUR_MS


def missed(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the share of the onsets that no incident met in time."""
    found = _detection(judged, policy, part)
    return NOT_FOR_IT if found is None or found.missed_share is None else found.missed_share


def false(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the incidents that no onset explains."""
    found = _detection(judged, policy, part)
    return NOT_FOR_IT if found is None else float(found.false)


def hours_between_false(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the virtual hours from one false incident to the next."""
    found = _detection(judged, policy, part)
    return NOT_FOR_IT if found is None or found.between_false_ms is None else found.between_false_ms / HOUR_MS


def _detection(judged: Judged, policy: str, part: Part) -> Detection | None:
    if policy != DRIFTWAKE:
        return None
    span = judged.played_span(part)
    onsets_ms = [one for one in judged.onsets_ms if span.since_ms <= one < span.until_ms]
    return detection([one.opened_ms for one in judged.played.incidents], onsets_ms, span)


def hours_to_hold_out(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the virtual hours from the moment that rows break to the first one that was held out; None when none was."""
    spans = [one.span(judged.data.epoch_ms) for one in judged.scenario.injections if one.kind in BREAKING]
    if policy != DRIFTWAKE or not spans:
        return NOT_FOR_IT
    broken_ms, until_ms = min(span.since_ms for span in spans), judged.scored_span(part).until_ms
    served = judged.played.served
    held = served.time_ms[served.flagged & (served.time_ms >= broken_ms) & (served.time_ms < until_ms)]
    return float(held[0] - broken_ms) / HOUR_MS if len(held) else None


def diagnosed(judged: Judged) -> Diagnosed:
    """Return what was said beside what would be right."""
    truth = judged.scenario.truth
    return Diagnosed(judged.scenario.id, truth.diagnosis, tuple(causes(judged)), truth.second_diagnosis)


def right_diagnosis(judged: Judged, policy: str, _part: Part) -> float | None:
    """Return 1 where the diagnosis is right, else 0."""
    return float(diagnosed(judged).is_right) if policy == DRIFTWAKE else NOT_FOR_IT


def forbidden(judged: Judged, policy: str, _part: Part) -> float | None:
    """Count forbidden actions."""
    truth = judged.scenario.truth
    return float(acted(actions(judged), truth.actions, truth.forbidden).forbidden) if policy == DRIFTWAKE else NOT_FOR_IT
