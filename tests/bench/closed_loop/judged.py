"""A replay judged by its scenario: every metric of every policy, the bars, and the result as the report shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from daemon.report.model import IncidentReport
from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.metrics.bars import Bar, evaluate
from tests.bench.closed_loop.metrics.detection import detection
from tests.bench.closed_loop.metrics.features import Planted, found_feature
from tests.bench.closed_loop.metrics.judgement import Diagnosed, acted
from tests.bench.closed_loop.metrics.quality import Quality, live_quality, recovered_share, share_of_oracle, shortfall
from tests.bench.closed_loop.metrics.recovery import time_to_recover
from tests.bench.closed_loop.metrics.scored import Scored, Span, spans_of
from tests.bench.closed_loop.metrics.swaps import compared, harmful_swaps, needless_retrains
from tests.bench.closed_loop.prepared import day_ms
from tests.bench.closed_loop.report import model as report
from tests.bench.closed_loop.report.filling import action_of, bar_of, diagnosis_of, pace_of
from tests.bench.closed_loop.runner import DAY_MS, DRIFTWAKE, Played
from tests.bench.closed_loop.scenario import Scenario

HOUR_MS = 3_600_000
NEVER, WEEKLY, ORACLE = "never", "weekly", "oracle"
FALSE_ALARM = "false_alarm"
_TRAINS = "train_xgboost"
_SPANS = {"week": 7 * DAY_MS, "month": 30 * DAY_MS, "all": DAY_MS}


class Judged(NamedTuple):
    """A scenario with its data and what its replay left behind."""

    scenario: Scenario
    data: DataSet
    played: Played
    who: dict[str, str]

    @property
    def onset_ms(self) -> int | None:
        """When it begins; None when nothing happens."""
        onset = self.scenario.truth.onset_day
        return None if onset is None else day_ms(self.data, onset)

    def span(self, first_day: int | None = None, last_day: int | None = None) -> Span:
        """Return the scored span, or part of it; both days belong to it."""
        score = self.scenario.score
        first = score.first_day if first_day is None else first_day
        last = score.last_day if last_day is None else last_day
        return Span(day_ms(self.data, first), day_ms(self.data, last + 1))

    def scored(self, policy: str) -> Scored:
        """Return a policy's scores."""
        served = self.played.served
        return Scored(served.time_ms, served.label, served.scores[policy])

    def quality(self, policy: str, span: Span) -> Quality:
        """Return a policy's quality over the periods of a span."""
        return live_quality(self.scored(policy), self.data.metric, spans_of(self.data.group, span, self.data.zone))


def judge(judged: Judged) -> report.ScenarioResult:
    """Measure everything that the scenario asks for, and what it doesn't."""
    scenario, played = judged.scenario, judged.played
    policies = list(played.served.scores)
    values = {metric: _values(judged, metric, policies, judged.span()) for metric in _MEASURED}
    bars = evaluate(scenario.bars, lambda bar: _value_of(judged, bar))
    truth, span = scenario.truth, judged.span()
    said, taken = _causes(judged), _actions(judged)
    start_ms, end_ms = (day_ms(judged.data, day) for day in (scenario.replay.first_day, scenario.replay.last_day + 1))
    return report.ScenarioResult(
        id=scenario.id,
        title=scenario.title,
        data=judged.data.name,
        seed=scenario.seed,
        start_ms=start_ms,
        end_ms=end_ms,
        quality_metric=f"{judged.data.metric.replace('_', ' ')} by {judged.data.group}",
        onset_ms=judged.onset_ms,
        injected=tuple(
            report.Injected(what=one.kind, start_ms=placed.since_ms, end_ms=placed.until_ms)
            for one in scenario.injections
            for placed in [one.span(judged.data.epoch_ms)]
        ),
        policies=tuple(_policy(judged, name, span) for name in policies),
        incidents=tuple(_incident(one) for one in played.incidents),
        bars=tuple(bar_of(one) for one in bars),
        values=values,
        diagnosis=diagnosis_of(Diagnosed(scenario.id, truth.diagnosis, tuple(said))),
        action=action_of(
            acted(taken, truth.actions, truth.forbidden), accepted=truth.actions, forbidden=truth.forbidden, taken=taken
        ),
        pace=pace_of(len(played.served.time_ms), end_ms - start_ms, played.wall_seconds),
        log_digest=played.log_digest,
    )


def _policy(judged: Judged, name: str, span: Span) -> report.PolicyResult:
    quality = judged.quality(name, span)
    return report.PolicyResult(
        name=name,
        who=judged.who[name],
        quality=tuple(
            report.Quality(label=f"{np.datetime64(one.span.since_ms, 'ms'):.10}", start_ms=one.span.since_ms, value=one.value)
            for one in quality.periods
        ),
        mean_quality=quality.mean,
        retrains=_retrains(judged, name),
        promotions=_promotions(judged, name),
    )


def _incident(incident: IncidentReport) -> report.IncidentResult:
    return report.IncidentResult(
        opened_ms=incident.opened_ms,
        closed_ms=incident.closed_ms,
        cause=_likeliest(incident),
        action=_chosen(incident),
        state=incident.state,
    )


def _likeliest(incident: IncidentReport) -> str:
    return max(incident.diagnosis, key=lambda one: one.probability).cause if incident.diagnosis else ""


def _chosen(incident: IncidentReport) -> str:
    return next((one.action for one in incident.alternatives if one.chosen), "")


def _after_onset(judged: Judged) -> list[IncidentReport]:
    onset_ms = judged.onset_ms
    return [one for one in judged.played.incidents if onset_ms is None or one.opened_ms >= onset_ms]


def _causes(judged: Judged) -> list[str]:
    """Causes that were named, in their order; to call an alarm false is to name none."""
    named = (_likeliest(one) for one in _after_onset(judged))
    return list(dict.fromkeys(cause for cause in named if cause not in ("", FALSE_ALARM)))


def _actions(judged: Judged) -> list[str]:
    return [action for one in _after_onset(judged) if (action := _chosen(one))]


def _retrains(judged: Judged, policy: str) -> int:
    if policy != DRIFTWAKE:
        return sum(one.policy == policy for one in judged.played.trained)
    plans = [one.plan for one in judged.played.incidents if one.plan is not None]
    return sum(step.skill == _TRAINS and step.state == "done" for plan in plans for step in plan.steps)


def _promotions(judged: Judged, policy: str) -> tuple[report.Promotion, ...]:
    if policy != DRIFTWAKE:
        mine = [one for one in judged.played.trained if one.policy == policy and one.is_accepted]
        return tuple(
            report.Promotion(time_ms=one.ready_ms, generation=number, digest=one.digest, why=one.why)
            for number, one in enumerate(mine, 1)
        )
    found, champion = [], ""
    for one in judged.played.deployments:
        if champion and one.champion != champion:
            promotion = report.Promotion(time_ms=one.effective_ms, generation=one.generation, digest=one.champion, why=one.reason)
            found.append(promotion)
        champion = one.champion
    return tuple(found)


def _value_of(judged: Judged, bar: Bar) -> float | None:
    if bar.policy not in judged.played.served.scores:
        return None
    return _values(judged, bar.metric, [bar.policy], judged.span(bar.first_day, bar.last_day)).get(bar.policy)


def _values(judged: Judged, metric: str, policies: Sequence[str], span: Span) -> dict[str, float | None]:
    """Measure a metric; policies that it doesn't apply to are left out, and so is everything that can't be measured yet."""
    measured = _MEASURED.get(metric)
    if measured is None:
        return {}
    found = {policy: measured(judged, policy, span) for policy in policies}
    return {policy: value for policy, value in found.items() if not (isinstance(value, float) and math.isinf(value))}


# Each gives a policy's value, None where it isn't computable, and infinity where it doesn't apply to the policy.
_NOT_FOR_IT = math.inf


def _live_quality(judged: Judged, policy: str, span: Span) -> float | None:
    return judged.quality(policy, span).mean


def _against(judged: Judged, policy: str, other: str, span: Span) -> tuple[Quality, Quality] | None:
    if other not in judged.played.served.scores or policy == other:
        return None
    return judged.quality(policy, span), judged.quality(other, span)


def _below_weekly(judged: Judged, policy: str, span: Span) -> float | None:
    pair = _against(judged, policy, WEEKLY, span)
    return shortfall(*pair) if pair else _NOT_FOR_IT


def _share_of_oracle(judged: Judged, policy: str, span: Span) -> float | None:
    pair = _against(judged, policy, ORACLE, span)
    return share_of_oracle(*pair) if pair else _NOT_FOR_IT


def _recovered_share(judged: Judged, policy: str, span: Span) -> float | None:
    pair = _against(judged, policy, ORACLE, span)
    if pair is None or NEVER not in judged.played.served.scores or policy == NEVER or judged.onset_ms is None:
        return _NOT_FOR_IT
    after = Span(max(span.since_ms, judged.onset_ms), span.until_ms)
    ours, never, oracle = (judged.quality(name, after) for name in (policy, NEVER, ORACLE))
    return recovered_share(ours, never, oracle)


def _recovery(judged: Judged, policy: str, span: Span) -> tuple[float | None, float | None]:
    if judged.onset_ms is None or ORACLE not in judged.played.served.scores:
        return _NOT_FOR_IT, _NOT_FOR_IT
    refits = [one.ready_ms for one in judged.played.trained if one.policy == ORACLE]
    found = time_to_recover(
        judged.scored(policy),
        judged.scored(ORACLE),
        judged.data.metric,
        horizon=Span(judged.onset_ms, span.until_ms),
        settled_ms=max(refits, default=judged.onset_ms),
        window_ms=_SPANS[judged.data.group],
    )
    return None if found.after_ms is None else found.after_ms / HOUR_MS, None if found.rows is None else float(found.rows)


def _hours_to_detect(judged: Judged, policy: str, span: Span) -> float | None:
    if policy != DRIFTWAKE or judged.onset_ms is None:
        return _NOT_FOR_IT
    opened = [one.opened_ms for one in judged.played.incidents]
    delay_ms = detection(opened, [judged.onset_ms], Span(min(span.since_ms, judged.onset_ms), span.until_ms)).delays_ms[0]
    return None if delay_ms is None else delay_ms / HOUR_MS


def _hours_to_hold_out(judged: Judged, policy: str, span: Span) -> float | None:
    if policy != DRIFTWAKE or judged.onset_ms is None:
        return _NOT_FOR_IT
    served = judged.played.served
    held = served.time_ms[served.flagged & (served.time_ms >= judged.onset_ms) & (served.time_ms < span.until_ms)]
    return float(held[0] - judged.onset_ms) / HOUR_MS if len(held) else None


def _right_diagnosis(judged: Judged, policy: str, span: Span) -> float | None:
    del span
    if policy != DRIFTWAKE:
        return _NOT_FOR_IT
    truth = judged.scenario.truth
    return float(Diagnosed(judged.scenario.id, truth.diagnosis, tuple(_causes(judged))).is_right)


def _forbidden(judged: Judged, policy: str, span: Span) -> float | None:
    del span
    if policy != DRIFTWAKE:
        return _NOT_FOR_IT
    truth = judged.scenario.truth
    return float(acted(_actions(judged), truth.actions, truth.forbidden).forbidden)


def _harmful_swaps(judged: Judged, policy: str, span: Span) -> float | None:
    """Only driftwake keeps the bundle it replaced as a shadow."""
    if policy != DRIFTWAKE:
        return _NOT_FOR_IT
    served, changes = judged.played.served, [one for one in _promotions(judged, policy) if one.time_ms < span.until_ms]
    digests = [one.champion for one in judged.played.deployments if one.effective_ms == 0][-1:]
    verdicts = []
    for place, one in enumerate(changes):
        before = changes[place - 1].digest if place else "".join(digests)
        end_ms = changes[place + 1].time_ms if place + 1 < len(changes) else span.until_ms
        rows = (served.time_ms >= one.time_ms) & (served.time_ms < end_ms)
        old, new = served.of_bundle(before), served.scores[DRIFTWAKE]
        verdicts.append(compared(judged.data.metric, served.label[rows], new[rows], old[rows], seed=judged.scenario.seed))
    found = harmful_swaps(verdicts)
    return None if found is None else float(found)


def _needless(judged: Judged, policy: str, span: Span) -> float | None:
    made = [one for one in _promotions(judged, policy) if one.time_ms < span.until_ms]
    found = needless_retrains(judged.scenario.id, len(made))
    return _NOT_FOR_IT if found is None else float(found)


def _feature_found(judged: Judged, policy: str, span: Span) -> float | None:
    planted = judged.scenario.truth.feature
    if planted is None or policy != DRIFTWAKE:
        return _NOT_FOR_IT
    wanted = Planted(frozenset(planted.by), planted.aggregate, planted.source, planted.at_most_range.ms, planted.column)
    promoted = [one for one in _promotions(judged, policy) if one.time_ms < span.until_ms]
    return float(any(found_feature(wanted, judged.played.windows[one.digest]) is not None for one in promoted))


def _misattributed(judged: Judged, policy: str, span: Span) -> float | None:
    if policy != DRIFTWAKE:
        return _NOT_FOR_IT
    served = judged.played.served
    ordered = sorted(judged.played.deployments, key=lambda one: (one.effective_ms, one.generation))
    places = np.searchsorted([one.effective_ms for one in ordered], served.time_ms, "right") - 1
    expected = np.array([one.champion for one in ordered], object)[places]
    inside = (served.time_ms >= span.since_ms) & (served.time_ms < span.until_ms)
    return float((served.digests[inside] != expected[inside]).sum())


def _only_ours(count: float, policy: str) -> float:
    return count if policy == DRIFTWAKE else _NOT_FOR_IT


_MEASURED = {
    "live_quality": _live_quality,
    "below_weekly": _below_weekly,
    "share_of_oracle": _share_of_oracle,
    "recovered_share": _recovered_share,
    "hours_to_recover": lambda judged, policy, span: _recovery(judged, policy, span)[0],
    "labels_to_recover": lambda judged, policy, span: _recovery(judged, policy, span)[1],
    "hours_to_detect": _hours_to_detect,
    "hours_to_hold_out": _hours_to_hold_out,
    "incidents": lambda judged, policy, _span: _only_ours(float(len(judged.played.incidents)), policy),
    "right_diagnosis": _right_diagnosis,
    "forbidden_actions": _forbidden,
    "retrains": lambda judged, policy, _span: float(_retrains(judged, policy)),
    "promotions": lambda judged, policy, _span: float(len(_promotions(judged, policy))),
    "needless_retrains": _needless,
    "harmful_swaps": _harmful_swaps,
    "feature_found": _feature_found,
    "rows_lost": lambda judged, policy, _span: _only_ours(float(judged.played.delivery.missing), policy),
    "rows_doubled": lambda judged, policy, _span: _only_ours(float(judged.played.delivery.doubled), policy),
    "rows_misattributed": _misattributed,
}


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
