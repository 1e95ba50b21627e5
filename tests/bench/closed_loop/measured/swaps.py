"""What was trained and promoted, and whether that was right."""

from __future__ import annotations

import numpy as np

from tests.bench.closed_loop.measured.case import NOT_FOR_IT, WHOLE, Judged, Part, labels_known, promoted_in
from tests.bench.closed_loop.metrics.features import Planted, found_feature
from tests.bench.closed_loop.metrics.scored import Span
from tests.bench.closed_loop.metrics.swaps import compared, harmful_swaps, needless_retrains, restored_ms, taken_back
from tests.bench.closed_loop.runner import DRIFTWAKE


def retrained(judged: Judged, policy: str, part: Part) -> int:
    """Count the models that a policy trained; what a bucket's end led to belongs to the bucket."""
    span, played = judged.played_span(part), judged.played
    mine = (
        played.retrained_ms
        if policy == DRIFTWAKE
        else [one.asked_ms for one in played.trained if one.policy == policy and one.digest]
    )
    return sum(span.since_ms < one <= span.until_ms for one in mine)


def retrains(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the models that a policy trained."""
    return float(retrained(judged, policy, part))


def promoted(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the models that came to serve."""
    return float(len(promoted_in(judged, policy, judged.played_span(part))))


def needless(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the promotions where none is right."""
    made = promoted_in(judged, policy, judged.played_span(part))
    found = needless_retrains(judged.scenario.id, len(made))
    return NOT_FOR_IT if found is None else float(found)


def harmful(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the promotions that made it worse. Only driftwake keeps the bundle it replaced as a shadow."""
    if policy != DRIFTWAKE:
        return NOT_FOR_IT
    span = judged.played_span(part)
    served, changes = judged.played.served, promoted_in(judged, policy, judged.played_span(WHOLE))
    first = [one.champion for one in judged.played.deployments if one.effective_ms == 0][-1:]
    verdicts = []
    for place, one in enumerate(changes):
        if not span.since_ms <= one.time_ms < span.until_ms:
            continue
        before = changes[place - 1].digest if place else "".join(first)
        end_ms = changes[place + 1].time_ms if place + 1 < len(changes) else span.until_ms
        rows = (served.time_ms >= one.time_ms) & (served.time_ms < end_ms)
        old, new = served.of_bundle(before), served.scores[DRIFTWAKE]
        verdicts.append(compared(judged.data.metric, served.label[rows], new[rows], old[rows], seed=judged.scenario.seed))
    found = harmful_swaps(verdicts)
    return None if found is None else float(found)


def labels_to_restore(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the labels that became known from onset until a former champion is champion again; None when it never is."""
    if policy != DRIFTWAKE or judged.onset_ms is None:
        return NOT_FOR_IT
    since_ms = max(judged.onset_ms, judged.played_span(part).since_ms)
    restored = restored_ms([(one.effective_ms, one.champion) for one in judged.played.deployments], since_ms)
    return None if restored is None else float(labels_known(judged, Span(since_ms, restored)))


def labels_to_roll_back(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the answers of a forced bundle whose labels were known when the champion before it came back, the most of several.

    None when one never did. Labels of rows that others answered say nothing about the bundle, however many become known
    meanwhile. A bundle that serving refused is not to be rolled back.
    """
    span = judged.played_span(part)
    champions = [(one.effective_ms, one.champion) for one in judged.played.deployments]
    served = {digest for _, digest in champions}
    forced = [one for one in judged.played.faults if one.forced and span.since_ms <= one.time_ms < span.until_ms]
    spans = [taken_back(champions, one.digest) for one in forced if one.digest in served]
    if policy != DRIFTWAKE or not spans:
        return NOT_FOR_IT
    counts = [_known_of(judged, one) for one in spans if one is not None]
    return float(max(counts)) if None not in spans else None


def _known_of(judged: Judged, span: Span) -> int:
    """Count the rows answered in a span whose labels became known before its end."""
    served, rows = judged.played.served, judged.data.rows
    inside = served.place[(served.time_ms >= span.since_ms) & (served.time_ms < span.until_ms)]
    known_ms, told = rows["known_ms"].to_numpy(np.float64)[inside], rows["told"].notna().to_numpy()[inside]
    return int(((known_ms < span.until_ms) & told).sum())


def feature_found(judged: Judged, policy: str, part: Part) -> float | None:
    """Return 1 where a champion has the planted window, else 0."""
    planted = judged.scenario.truth.feature
    if planted is None or policy != DRIFTWAKE:
        return NOT_FOR_IT
    wanted = Planted(frozenset(planted.by), planted.aggregate, planted.source, planted.at_most_range.ms, planted.column)
    made = promoted_in(judged, policy, judged.played_span(part))
    return float(any(found_feature(wanted, judged.played.windows[one.digest]) is not None for one in made))
