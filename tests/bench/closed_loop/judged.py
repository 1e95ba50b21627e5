"""A replay judged by its scenario: every metric of every policy, the bars, and the result as the report shows it."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from daemon.report.model import IncidentReport
from tests.bench.closed_loop.faults.base import Happened
from tests.bench.closed_loop.measured.case import WHOLE, Judged, Part, actions, chosen, likeliest, promotions, with_last_label
from tests.bench.closed_loop.measured.catalogue import MEASURED, values
from tests.bench.closed_loop.measured.incidents import diagnosed
from tests.bench.closed_loop.measured.latency import sides
from tests.bench.closed_loop.measured.swaps import retrained
from tests.bench.closed_loop.metrics.bars import Bar, evaluate
from tests.bench.closed_loop.metrics.integrity import p99
from tests.bench.closed_loop.metrics.judgement import acted
from tests.bench.closed_loop.report import model as report
from tests.bench.closed_loop.report.filling import action_of, bar_of, diagnosis_of, pace_of
from tests.bench.closed_loop.scenario import WAITS, Scenario


def judge(judged: Judged) -> report.ScenarioResult:
    """Measure everything that the scenario asks for, and what it doesn't."""
    judged = with_last_label(judged)
    scenario, played, truth = judged.scenario, judged.played, judged.scenario.truth
    policies = list(played.served.scores)
    bars = evaluate(scenario.bars, lambda bar: _value_of(judged, bar))
    taken = actions(judged)
    start_ms, end_ms = judged.played_span(WHOLE)
    latencies = sides(judged, WHOLE)
    return report.ScenarioResult(
        id=scenario.id,
        title=scenario.title,
        data=judged.data.name,
        seed=scenario.seed,
        start_ms=start_ms,
        end_ms=end_ms,
        quality_metric=judged.data.metric.replace("_", " ") + ("" if judged.data.group == "all" else f" by {judged.data.group}"),
        onset_ms=judged.onset_ms,
        other_onsets_ms=tuple(one for one in judged.onsets_ms if one != judged.onset_ms),
        injected=tuple(
            report.Injected(what=one.kind, start_ms=placed.since_ms, end_ms=placed.until_ms)
            for one in scenario.injections
            for placed in [one.span(judged.data.epoch_ms)]
        )
        + tuple(_fault(one) for one in played.faults),
        policies=tuple(_policy(judged, name) for name in policies),
        incidents=tuple(_incident(one) for one in played.incidents),
        bars=tuple(bar_of(one) for one in bars),
        values={metric: found for metric in MEASURED if (found := values(judged, metric, policies, WHOLE))},
        diagnosis=diagnosis_of(diagnosed(judged)),
        action=action_of(
            acted(taken, truth.actions, truth.forbidden), accepted=truth.actions, forbidden=truth.forbidden, taken=taken
        ),
        pace=pace_of(
            len(played.served.time_ms),
            end_ms - start_ms,
            played.wall_seconds,
            p99_before_ms=p99(latencies.before),
            p99_during_ms=p99(latencies.during),
        ),
        log_digest=played.log_digest,
    )


def _policy(judged: Judged, name: str) -> report.PolicyResult:
    return report.PolicyResult(
        name=name,
        who=judged.who[name],
        quality=tuple(
            report.Quality(label=f"{np.datetime64(one.span.since_ms, 'ms'):.10}", start_ms=one.span.since_ms, value=one.value)
            for one in judged.course(name).periods
        ),
        mean_quality=judged.quality(name, judged.scored_span(WHOLE)).mean,
        retrains=retrained(judged, name, WHOLE),
        promotions=promotions(judged, name),
    )


def _fault(fault: Happened) -> report.Injected:
    what = f"{fault.kind}, forced" if fault.forced else fault.kind
    return report.Injected(what=what, start_ms=fault.time_ms, end_ms=fault.time_ms)


def _incident(incident: IncidentReport) -> report.IncidentResult:
    return report.IncidentResult(
        opened_ms=incident.opened_ms,
        closed_ms=incident.closed_ms,
        cause=likeliest(incident),
        action=chosen(incident),
        state=incident.state,
    )


def _value_of(judged: Judged, bar: Bar) -> float | None:
    if bar.policy not in judged.played.served.scores:
        return None
    found = values(judged, bar.metric, [bar.policy], Part(bar.first_day, bar.last_day))
    if bar.policy in found and found[bar.policy] is None and bar.metric in WAITS:
        return math.inf
    return found.get(bar.policy)


def failed(scenario: Scenario, data: str, why: str) -> report.ScenarioResult:
    """Report a scenario that did not run to its end; its bars count as not measured."""
    bars = evaluate(scenario.bars, lambda _bar: None)
    return report.ScenarioResult(
        id=scenario.id,
        title=scenario.title,
        data=data,
        seed=scenario.seed,
        start_ms=0,
        end_ms=0,
        quality_metric="",
        bars=tuple(bar_of(one) for one in bars),
        failed=why,
    )


def encode(result: report.ScenarioResult) -> bytes:
    """Write one result, for a run that goes on later."""
    return msgspec.json.encode(result, order="deterministic")
