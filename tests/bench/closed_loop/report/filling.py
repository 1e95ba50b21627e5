"""From what the metrics return to what the report shows."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.closed_loop.metrics.bars import BarResult
from tests.bench.closed_loop.metrics.integrity import replay_speed
from tests.bench.closed_loop.metrics.judgement import Acted, Diagnosed
from tests.bench.closed_loop.report.model import Bar, Judgement, Pace


def bar_of(result: BarResult) -> Bar:
    """Take over a bar and what was measured."""
    return Bar(
        metric=result.metric,
        policy=result.policy,
        at_least=result.limit if result.sense == "at_least" else None,
        at_most=result.limit if result.sense == "at_most" else None,
        first_day=result.first_day,
        last_day=result.last_day,
        value=result.value,
        held=result.held,
    )


def diagnosis_of(found: Diagnosed) -> Judgement:
    """Take over a diagnosis."""
    return Judgement(accepted=found.accepted, second=found.second, said=found.said, is_right=found.is_right)


def action_of(found: Acted, *, accepted: Sequence[str], forbidden: Sequence[str], taken: Sequence[str]) -> Judgement:
    """Take over what was done; `taken` in its order."""
    return Judgement(accepted=tuple(accepted), forbidden=tuple(forbidden), said=tuple(taken), is_right=found.right)


def pace_of(
    events: int, virtual_ms: int, wall_seconds: float, *, p99_before_ms: float | None = None, p99_during_ms: float | None = None
) -> Pace:
    """Say how fast a replay was; its rates are None when no wall time was measured."""
    speed = replay_speed(events, virtual_ms, wall_seconds)
    return Pace(
        wall_seconds=wall_seconds if speed is not None else None,
        events=events,
        events_per_second=speed.events_a_second if speed is not None else None,
        virtual_to_wall=speed.virtual_to_wall if speed is not None else None,
        p99_before_ms=p99_before_ms,
        p99_during_ms=p99_during_ms,
    )
