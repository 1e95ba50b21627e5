"""The policy planner: the expected gain of each action less its cost and risk, from a table. Pure and deterministic.

Utilities are in points of quality (0.01 of AUC, or of whatever the model's metric is). An action is worth the share of the
lost quality that it is expected to bring back, over the probable causes; doing nothing is worth nothing and must be beaten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import Field

from daemon.ledger.records import Reason
from daemon.likeness import Similar, signature, similar, times_in_vain
from daemon.planners._rows import Rows, rows_to_learn_from
from daemon.planners.base import LEARNABLE, REPLACES, TRAINS, Action, Archived, Office, Proposal, Situation
from streams.runtime.config import Section
from streams.runtime.durations import Duration

# Share of the lost quality an action brings back, by cause. Negative: it makes things worse (a model fitted on broken data
# was measured worse than the one left alone). A cause that isn't named is worth 0. What an archived bundle brings back isn't
# guessed, it is measured.
RECOVERY: Final[Mapping[Action, Mapping[str, float]]] = {
    "retrain": {
        "concept_change": 0.6, "harmful_shift": 0.5, "new_segment": 0.4, "recurring_regime": 0.4, "harmless_shift": 0.05,
        "upstream_data_break": -1.0, "label_trouble": -0.5,
    },
    "search_features_and_retrain": {
        "concept_change": 0.9, "harmful_shift": 0.8, "new_segment": 0.8, "recurring_regime": 0.5, "harmless_shift": 0.05,
        "upstream_data_break": -1.0, "label_trouble": -0.5,
    },
    "alert_upstream": {"upstream_data_break": 0.8, "label_trouble": 0.5},
    # A person can do all that the others do, and what they can't, but is slow and may be asleep.
    "ask_person": {
        "concept_change": 0.3, "harmful_shift": 0.3, "new_segment": 0.3, "recurring_regime": 0.3, "upstream_data_break": 0.4,
        "label_trouble": 0.3, "serving_bug": 0.8, "bad_swap": 0.4,
    },
    "rollback": {"bad_swap": 0.9, "serving_bug": 0.3},
}  # fmt: skip
_WEIGHED: Final[tuple[Action, ...]] = (*RECOVERY, "restore_archived")
_BROKEN = frozenset({"upstream_data_break", "label_trouble", "serving_bug"})
# From such a probability on that something is broken, people may be told so; and from such a one on, nothing is learnt.
_SUSPECT, _PROBABLE = 0.1, 0.5
# From doing least to doing most: the order in which ties are broken.
ORDER: Final[tuple[Action, ...]] = (
    "no_action", "wait_for_labels", "alert_upstream", "ask_person", "restore_archived", "rollback", "retrain",
    "search_features_and_retrain",
)  # fmt: skip


class PolicyConfig(Section):
    """What actions cost and how much proof of harm they need."""

    costs: dict[str, float] = Field(
        default_factory=lambda: {
            "retrain": 0.3,
            "search_features_and_retrain": 0.5,
            "alert_upstream": 0.05,
            "rollback": 0.5,
            "restore_archived": 0.3,
            "ask_person": 0.2,
        }
    )
    """Cost and risk of each action in points of quality: machine time, attention, and the chance that a swap goes wrong."""

    missing_feature_points: float = Field(default=1.0, ge=0)
    """What a search is expected to find beyond the loss when a cause is harmful and the headroom could not be measured: the
    missing feature is the usual reason."""

    unseen_harm_points: float = Field(default=1.0, ge=0)
    """Assumed loss while too few labels are known to measure it, for data breaks that show in the inputs alone; and for harm that
    quality doesn't show, as scores that rank as before and are all too high."""

    label_coverage: float = Field(default=0.5, ge=0, le=1)
    """Labels that come in for each prediction below which no loss is believed and no model trained."""

    label_rows: int = Field(default=500, ge=1)
    """Labelled rows below which no loss is believed and no model trained."""

    contradiction_points: float = Field(default=10.0, ge=0)
    """Quality that a change of concept has surely cost, from which on the rows before it teach what is wrong now: a training
    then uses those since the change alone."""

    memory: Duration = Duration.of("90d")
    """How long an action that didn't help counts against itself, in incidents like it."""

    forgiveness: float = Field(default=0.6, gt=0, le=1)
    """Factor on an action's expected gain for each recent time it didn't help."""


def build(config: PolicyConfig | None = None, office: Office | None = None) -> PolicyPlanner:
    """Make the planner; it looks nothing up."""
    return PolicyPlanner(config or PolicyConfig())


class _Known(NamedTuple):
    """What the planner makes of a situation before it weighs anything; quality is in points.

    `lost` is what was lost, `missed` what a missing feature is worth (None: nobody could measure it), `broken` the probability
    that data, labels or serving can't be trusted, `archived` the earlier champion that is surely better now.
    """

    has_labels: bool
    lost: float
    missed: float | None
    broken: float
    rows: Rows
    archived: Archived | None
    past: tuple[Similar, ...]


class PolicyPlanner:
    """Expected recovery less cost and risk, over a table of causes."""

    def __init__(self, config: PolicyConfig) -> None:
        self._config = config

    async def propose(self, situation: Situation) -> Proposal:
        """Choose an action; see `decide`."""
        return self.decide(situation)

    def decide(self, situation: Situation) -> Proposal:
        """Choose the action of the highest utility; ties go to the one that does less."""
        if situation.submitted:
            reason = Reason(text="a challenger was submitted: it is judged, nothing is trained", evidence=situation.evidence)
            return Proposal(action="judge_submitted", reasons=(reason,), utilities={"judge_submitted": 0.0, "no_action": 0.0})
        known = self._look(situation)
        excluded = self._excluded(situation, known)
        weighed: dict[str, float | None] = {"no_action": 0.0, "wait_for_labels": self._patience(situation, known)}
        for action in _WEIGHED:
            weighed[action] = None if action in excluded else self._utility(action, situation, known)
        if weighed["wait_for_labels"] is None:
            excluded["wait_for_labels"] = _no_wait(situation, known)
        best = max(ORDER, key=lambda action: (_or_never(weighed[action]), -ORDER.index(action)))
        return Proposal(
            action=best,
            reasons=self._reasons(best, situation, known),
            utilities=weighed,
            excluded=excluded,
            train_since_ms=known.rows.since_ms,
            challenger=known.archived.digest if known.archived is not None else None,
        )

    def _look(self, situation: Situation) -> _Known:
        diagnosis, labels = situation.diagnosis, situation.diagnosis.label_state
        has_labels = (labels.coverage or 0.0) >= self._config.label_coverage and labels.rows >= self._config.label_rows
        causes = [(one.cause, one.probability) for one in diagnosis.causes]
        broken = math.fsum(probability for cause, probability in causes if cause in _BROKEN)
        contradicts = has_labels and _surely_lost(situation) >= self._config.contradiction_points
        better = [one for one in diagnosis.archived if has_labels and one.low > 0]
        return _Known(
            has_labels=has_labels,
            lost=self._lost_points(situation, broken, has_labels=has_labels),
            missed=_missed_points(situation) if has_labels else None,
            broken=broken,
            rows=rows_to_learn_from(situation, self._config.label_rows, contradicts=contradicts),
            archived=max(better, key=lambda one: one.value + one.low, default=None),
            past=similar(signature(causes), situation.lessons, situation.now_ms - self._config.memory.ms),
        )

    def _utility(self, action: Action, situation: Situation, known: _Known) -> float:
        gain = self._gain(action, situation, known)
        trust = self._config.forgiveness ** times_in_vain(action, known.past)
        # Distrust makes what an action gains smaller, not the harm that it does.
        return round((gain * trust if gain > 0 else gain) - self._config.costs.get(action, 0.0), 6)

    def _gain(self, action: Action, situation: Situation, known: _Known) -> float:
        sound = max(0.0, 1.0 - known.broken)
        if action == "restore_archived":
            return sound * 50.0 * (known.archived.value + known.archived.low) if known.archived is not None else 0.0
        if action in TRAINS and known.rows.are_coming:
            # Fitted to the rule of before and judged by it: nothing comes of that but a refusal.
            return 0.0
        searches = action == "search_features_and_retrain"
        # Measured headroom is worth the search whatever opened the incident, as far as the data can be trusted.
        parts = [sound * known.missed] if searches and known.missed is not None else []
        for one in situation.diagnosis.causes:
            share = RECOVERY[action].get(one.cause, 0.0)
            parts.append(one.probability * share * self._at_stake(action, one.cause, known, is_harm=share < 0))
        return math.fsum(parts)

    def _at_stake(self, action: Action, cause: str, known: _Known, *, is_harm: bool) -> float:
        """Return the points that a share of recovery is of."""
        unseen = self._config.unseen_harm_points
        if is_harm:
            # The harm of training on what is broken doesn't depend on what is already lost.
            return max(known.lost, unseen)
        if cause in _BROKEN:
            return max(known.lost, unseen) if known.broken >= _PROBABLE else known.lost
        if cause in LEARNABLE and action == "ask_person" and known.has_labels:
            return max(known.lost, unseen)
        if cause in LEARNABLE and action == "search_features_and_retrain" and known.missed is None:
            return known.lost + self._config.missing_feature_points
        return known.lost

    def _lost_points(self, situation: Situation, broken: float, *, has_labels: bool) -> float:
        """Quality lost, in points: halfway between what was measured and what is certain."""
        seen = situation.diagnosis.performance
        if has_labels and seen.reference is not None and seen.recent is not None:
            return 0.5 * (100.0 * max(0.0, seen.reference - seen.recent) + _surely_lost(situation))
        return self._config.unseen_harm_points if broken >= _PROBABLE else 0.0

    def _patience(self, situation: Situation, known: _Known) -> float | None:
        """Waiting is worth a little while nothing is known, and what a training is worth once there are rows to learn from."""
        if situation.waits_left <= 0:
            return None
        if known.has_labels and known.rows.are_coming:
            fresh = known._replace(rows=Rows())
            worth = [self._utility(action, situation, fresh) for action in _awaited(situation, known)]
            return max(0.01, *worth) if worth else None
        return None if known.has_labels else 0.01

    def _excluded(self, situation: Situation, known: _Known) -> dict[str, str]:
        excluded: dict[str, str] = {}
        for action in sorted(REPLACES):
            reason = self._objection(action, situation, known)
            if reason:
                excluded[action] = reason
        if not situation.has_windows:
            excluded["search_features_and_retrain"] = "the model is served elsewhere, where nobody computes windows"
        if known.broken < _SUSPECT:
            excluded["alert_upstream"] = "nothing suggests that data, labels or serving are broken"
        if known.archived is None:
            excluded["restore_archived"] = "no earlier champion is known to be better now"
        if not situation.can_roll_back:
            excluded["rollback"] = "no earlier champion is known"
        return excluded

    def _objection(self, action: Action, situation: Situation, known: _Known) -> str:
        if not known.has_labels:
            return "too few labels are known"
        if action in TRAINS and known.broken >= _PROBABLE:
            return "data, labels or serving are probably broken, and what is learnt from them is worse"
        if situation.is_frozen:
            return "deployments are frozen"
        if not situation.may_promote:
            return "the promotion budget has no room"
        if action in situation.tried and known.rows.since_ms is None:
            return "the same was tried lately and didn't help"
        return ""

    def _reasons(self, best: Action, situation: Situation, known: _Known) -> tuple[Reason, ...]:
        seen, labels = situation.diagnosis.performance, situation.diagnosis.label_state
        causes = sorted(situation.diagnosis.causes, key=lambda one: (-one.probability, one.cause))[:3]
        said = [", ".join(f"{one.cause} {one.probability:.2f}" for one in causes) or "no cause found"]
        if seen.reference is not None and seen.recent is not None:
            said.append(f"quality {seen.recent:.4f} against {seen.reference:.4f} at validation")
        said.append(f"{labels.rows} labelled rows, coverage {labels.coverage if labels.coverage is not None else 0.0:.2f}")
        if best == "restore_archived" and known.archived is not None:
            better = known.archived
            rows = f"the newest {better.rows} of {better.labelled}" if better.labelled > better.rows else f"{better.rows}"
            chosen = f", the best of {better.compared}" if better.compared > 1 else ""
            said.append(f"an earlier champion is {better.value:+.4f} better on {rows} rows since the change{chosen}")
        if known.rows.why:
            said.append(known.rows.why)
        said.append(f"{best} has the highest utility; {situation.promotions} promotions in the last 30 days")
        return (*(Reason(text=text, evidence=situation.evidence) for text in said), *_remembered(known.past))


def _remembered(past: tuple[Similar, ...]) -> tuple[Reason, ...]:
    """Say what the two most alike incidents of before have taught."""
    return tuple(
        Reason(text=f"an incident {one.likeness:.2f} alike: {one.lesson.action} ended as {one.lesson.outcome}", evidence=evidence)
        for one in past[:2]
        for evidence in [(one.lesson.incident,) if one.lesson.incident else ()]
    )


def _awaited(situation: Situation, known: _Known) -> list[Action]:
    """Return the trainings that rows can be waited for: not what is frozen now, for nobody can say for how long.

    That promotions are used up is no reason against it: the room for the next one comes while it is waited.
    """
    if situation.is_frozen or known.broken >= _PROBABLE:
        return []
    return [action for action in sorted(TRAINS) if situation.has_windows or action != "search_features_and_retrain"]


def _no_wait(situation: Situation, known: _Known) -> str:
    if situation.waits_left > 0 and known.has_labels and known.rows.are_coming:
        return "no training could use what is waited for"
    return "labels are known well enough, or were waited for long enough"


def _surely_lost(situation: Situation) -> float:
    """Quality that is certainly lost, in points: from the upper end of the recent interval to the reference."""
    seen = situation.diagnosis.performance
    if seen.reference is None or seen.recent is None:
        return 0.0
    return 100.0 * max(0.0, seen.reference - (seen.high if seen.high is not None else seen.recent))


def _missed_points(situation: Situation) -> float | None:
    """Quality to gain from a feature that is missing, in points: halfway between what was measured and what is certain."""
    seen = situation.diagnosis.headroom
    if seen is None:
        return None
    return 50.0 * (max(0.0, seen.value) + max(0.0, seen.low)) if seen.low > 0 else 0.0


def _or_never(utility: float | None) -> float:
    return float("-inf") if utility is None else utility
