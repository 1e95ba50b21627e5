"""A scenario with its data and what its replay left behind, as every metric reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from daemon.planners.base import FORCED
from daemon.report.model import IncidentReport
from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.metrics.quality import Quality, live_quality
from tests.bench.closed_loop.metrics.scored import DAY_MS, Scored, Span, equal_spans, spans_of
from tests.bench.closed_loop.policies import last_label
from tests.bench.closed_loop.policies.last_label import last_label_scores
from tests.bench.closed_loop.prepared import day_ms
from tests.bench.closed_loop.report.model import Promotion
from tests.bench.closed_loop.runner import DRIFTWAKE, Played
from tests.bench.closed_loop.scenario import Days, Scenario

HOUR_MS = 3_600_000
NEVER, WEEKLY, ORACLE = "never", "weekly", "oracle"
FALSE_ALARM = "false_alarm"
NOT_FOR_IT = math.inf


class Part(NamedTuple):
    """The days that a figure is about, both included; None: from the beginning, to the end."""

    first_day: int | None = None
    last_day: int | None = None


WHOLE = Part()


class Judged(NamedTuple):
    """A scenario, its data after the injections, the replay, and a line about each policy."""

    scenario: Scenario
    data: DataSet
    played: Played
    who: dict[str, str]

    @property
    def onset_ms(self) -> int | None:
        """When it begins; None when nothing happens."""
        onset = self.scenario.truth.onset_day
        return None if onset is None else day_ms(self.data, onset)

    @property
    def onsets_ms(self) -> list[int]:
        """When anything begins, in order of time."""
        truth = self.scenario.truth
        days = [] if truth.onset_day is None else [truth.onset_day, *truth.other_onsets]
        return sorted(day_ms(self.data, day) for day in days)

    def scored_span(self, part: Part) -> Span:
        """Return the part of the score: what quality is about."""
        return self._span(self.scenario.score, part)

    def played_span(self, part: Part) -> Span:
        """Return the part of the replay: what is counted."""
        return self._span(self.scenario.replay, part)

    def scored(self, policy: str) -> Scored:
        """Return a policy's scores."""
        served = self.played.served
        return Scored(served.time_ms, served.label, served.scores[policy])

    def quality(self, policy: str, span: Span) -> Quality:
        """Return a policy's quality over the periods of a span."""
        return live_quality(self.scored(policy), self.data.metric, spans_of(self.data.group, span, self.data.zone))

    def course(self, policy: str) -> Quality:
        """Return a policy's quality over time, day by day where the data's is one figure for all."""
        span, data = self.scored_span(WHOLE), self.data
        if data.group != "all":
            return self.quality(policy, span)
        return live_quality(self.scored(policy), data.metric, equal_spans(span, DAY_MS))

    def _span(self, whole: Days, part: Part) -> Span:
        first = whole.first_day if part.first_day is None else part.first_day
        last = whole.last_day if part.last_day is None else part.last_day
        return Span(day_ms(self.data, first), day_ms(self.data, last + 1))


Measured = Callable[[Judged, str, Part], float | None]


def only_ours(count: float, policy: str) -> float:
    """Return a figure that only driftwake has."""
    return count if policy == DRIFTWAKE else NOT_FOR_IT


def with_last_label(judged: Judged) -> Judged:
    """Add the policy that repeats the newest known label, where labels are autocorrelated: what it answers needs no slot."""
    if "kappa_temporal" not in judged.data.further:
        return judged
    served = judged.played.served
    scores = served.scores | {last_label.NAME: last_label_scores(judged.data.rows)[served.place]}
    played = judged.played._replace(served=served._replace(scores=scores))
    return judged._replace(played=played, who=judged.who | {last_label.NAME: last_label.WHO})


def likeliest(incident: IncidentReport) -> str:
    """Return the cause that an incident was most likely put down to; empty when none was named."""
    return max(incident.diagnosis, key=lambda one: one.probability).cause if incident.diagnosis else ""


def chosen(incident: IncidentReport) -> str:
    """Return the action that was chosen; empty when none was."""
    return next((one.action for one in incident.alternatives if one.chosen), "")


def causes(judged: Judged) -> list[str]:
    """Return the causes that were named after onset, in their order; to call an alarm false is to name none."""
    named = (likeliest(one) for one in _after_onset(judged))
    return list(dict.fromkeys(cause for cause in named if cause not in ("", FALSE_ALARM)))


def actions(judged: Judged) -> list[str]:
    """Return the actions that were taken after onset, in their order; what a person forces isn't driftwake's.

    A probation that ends badly is a rollback that nobody had to choose.
    """
    taken = [(chosen(one), "rollback" if one.state == "rolled_back" else "") for one in _after_onset(judged)]
    return [action for both in taken for action in both if action not in ("", FORCED)]


def promotions(judged: Judged, policy: str) -> tuple[Promotion, ...]:
    """Return when a policy's slot was served by another bundle, in order of time."""
    if policy != DRIFTWAKE:
        mine = [one for one in judged.played.trained if one.policy == policy and one.is_accepted]
        return tuple(
            Promotion(time_ms=one.ready_ms, generation=number, digest=one.digest, why=one.why)
            for number, one in enumerate(mine, 1)
        )
    found, champion = [], ""
    for one in judged.played.deployments:
        if champion and one.champion != champion:
            found.append(Promotion(time_ms=one.effective_ms, generation=one.generation, digest=one.champion, why=one.reason))
        champion = one.champion
    return tuple(found)


def promoted_in(judged: Judged, policy: str, span: Span) -> list[Promotion]:
    """Return a policy's promotions inside a span."""
    return [one for one in promotions(judged, policy) if span.since_ms <= one.time_ms < span.until_ms]


def labels_known(judged: Judged, span: Span) -> int:
    """Count the labels that became known in a span, of whatever rows: the clock of bars that are set in labels."""
    rows = judged.data.rows
    known_ms = rows["known_ms"].to_numpy(np.float64)
    return int(((known_ms >= span.since_ms) & (known_ms < span.until_ms) & rows["told"].notna().to_numpy()).sum())


def _after_onset(judged: Judged) -> Sequence[IncidentReport]:
    onset_ms = judged.onset_ms
    return [one for one in judged.played.incidents if onset_ms is None or one.opened_ms >= onset_ms]
