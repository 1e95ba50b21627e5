"""What a policy cost: frauds it let through, people it called, tokens it used. Retrains are counted with the swaps."""

from __future__ import annotations

from tests.bench.closed_loop.measured.case import NOT_FOR_IT, Judged, Part, chosen
from tests.bench.closed_loop.metrics.cost import missed_amount
from tests.bench.closed_loop.runner import DRIFTWAKE

_TELLS_PEOPLE = "alert_upstream"
_WITHOUT_TOKENS = "policy"


def missed(judged: Judged, policy: str, part: Part) -> float | None:
    """Return what the positive rows were worth that nobody looked at, where rows have a worth."""
    if judged.data.worth is None:
        return NOT_FOR_IT
    served, span = judged.played.served, judged.scored_span(part)
    rows = (served.time_ms >= span.since_ms) & (served.time_ms < span.until_ms)
    worth = judged.data.worth[served.place[rows]]
    return missed_amount(served.time_ms[rows], served.label[rows], served.scores[policy][rows], worth)


def alerts(judged: Judged, policy: str, part: Part) -> float | None:
    """Count the incidents that reached people; the other policies call nobody."""
    span = judged.played_span(part)
    told = [one for one in judged.played.incidents if chosen(one) == _TELLS_PEOPLE]
    return float(sum(span.since_ms <= one.opened_ms < span.until_ms for one in told)) if policy == DRIFTWAKE else 0.0


def tokens(judged: Judged, policy: str, _part: Part) -> float | None:
    """Return the tokens of language models: none where the planner asks none, None where it is another planner."""
    planners = {one.plan.planner for one in judged.played.incidents if one.plan is not None} if policy == DRIFTWAKE else set()
    return 0.0 if planners <= {_WITHOUT_TOKENS} else None
