"""The policy planner: the expected gain of each action less its cost and risk, from a table. Pure and deterministic.

Utilities are in points of quality (0.01 of AUC, or of whatever the model's metric is). An action is worth the share of the
lost quality that it is expected to bring back, over the probable causes; doing nothing is worth nothing and must be beaten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from daemon.ledger.records import Reason
from daemon.planners.base import TRAINS, Action, Office, Proposal, Situation
from streams.runtime.config import Section
from streams.runtime.durations import Duration

# Share of the lost quality an action brings back, by cause. Negative: it makes things worse (a model fitted on broken data
# was measured worse than the one left alone). A cause that isn't named is worth 0.
RECOVERY: Final[Mapping[Action, Mapping[str, float]]] = {
    "retrain": {
        "concept_change": 0.6, "harmful_shift": 0.5, "new_segment": 0.4, "recurring_regime": 0.4, "harmless_shift": 0.05,
        "upstream_data_break": -1.0, "label_trouble": -0.5,
    },
    "search_features_and_retrain": {
        "concept_change": 0.9, "harmful_shift": 0.8, "new_segment": 0.8, "recurring_regime": 0.5, "harmless_shift": 0.05,
        "upstream_data_break": -1.0, "label_trouble": -0.5,
    },
    "alert_upstream": {"upstream_data_break": 0.8, "label_trouble": 0.5, "serving_bug": 0.5},
    "rollback": {"bad_swap": 0.9, "serving_bug": 0.3},
}  # fmt: skip
_TROUBLED = frozenset({"refused", "failed", "rolled_back", "expired"})
_HARMFUL = frozenset({"concept_change", "harmful_shift", "new_segment"})
_BROKEN = ("upstream_data_break", "label_trouble", "serving_bug")


class PolicyConfig(Section):
    """What actions cost and how much proof of harm they need."""

    costs: dict[str, float] = Field(
        default_factory=lambda: {"retrain": 0.3, "search_features_and_retrain": 0.5, "alert_upstream": 0.05, "rollback": 0.5}
    )
    """Cost and risk of each action in points of quality: machine time, attention, and the chance that a swap goes wrong."""

    missing_feature_points: float = Field(default=1.0, ge=0)
    """What a search is expected to find beyond the loss when a cause is harmful and the headroom could not be measured: the
    missing feature is the usual reason."""

    unseen_harm_points: float = Field(default=1.0, ge=0)
    """Assumed loss while too few labels are known to measure it, for data breaks that show in the inputs alone."""

    label_coverage: float = Field(default=0.5, ge=0, le=1)
    """Labels that come in for each prediction below which no loss is believed and no model trained."""

    label_rows: int = Field(default=500, ge=1)
    """Labelled rows below which no loss is believed and no model trained."""

    memory: Duration = Duration.of("90d")
    """How long an action that didn't help counts against itself."""

    forgiveness: float = Field(default=0.6, gt=0, le=1)
    """Factor on an action's expected gain for each recent time it didn't help."""


def build(config: PolicyConfig | None = None, office: Office | None = None) -> PolicyPlanner:
    """Make the planner; it looks nothing up."""
    return PolicyPlanner(config or PolicyConfig())


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
        excluded = self._excluded(situation)
        weighed: dict[str, float | None] = {"no_action": 0.0, "wait_for_labels": self._patience(situation)}
        for action in RECOVERY:
            weighed[action] = None if action in excluded else self._utility(action, situation)
        if weighed["wait_for_labels"] is None:
            excluded["wait_for_labels"] = "labels are known well enough, or were waited for long enough"
        best = max(_ORDER, key=lambda action: (_known(weighed[action]), -_ORDER.index(action)))
        return Proposal(action=best, reasons=self._reasons(best, situation), utilities=weighed, excluded=excluded)

    def _utility(self, action: Action, situation: Situation) -> float:
        lost = self._lost_points(situation)
        searches = action == "search_features_and_retrain"
        missed = self._missed_points(situation)
        upside = self._config.missing_feature_points if searches and missed is None else 0.0
        # Measured headroom is worth the search whatever opened the incident, as far as the data can be trusted.
        sound = 1.0 - sum(one.probability for one in situation.diagnosis.causes if one.cause in _BROKEN)
        gain = sound * missed if searches and missed is not None else 0.0
        for one in situation.diagnosis.causes:
            share = RECOVERY[action].get(one.cause, 0.0)
            # The harm of training on what is broken doesn't depend on what is already lost.
            at_stake = (
                max(lost, self._config.unseen_harm_points) if share < 0 else lost + (upside if one.cause in _HARMFUL else 0.0)
            )
            gain += one.probability * share * at_stake
        return round(gain * self._trust(action, situation) - self._config.costs.get(action, 0.0), 6)

    def _trust(self, action: Action, situation: Situation) -> float:
        since = situation.now_ms - self._config.memory.ms
        times = sum(
            lesson.action == action and lesson.outcome in _TROUBLED and lesson.time_ms >= since for lesson in situation.lessons
        )
        return float(self._config.forgiveness**times)

    def _lost_points(self, situation: Situation) -> float:
        """Quality lost, in points: halfway between what was measured and what is certain."""
        seen = situation.diagnosis.performance
        if self._knows_labels(situation) and seen.reference is not None and seen.recent is not None:
            certain = max(0.0, seen.reference - (seen.high if seen.high is not None else seen.recent))
            return 50.0 * (max(0.0, seen.reference - seen.recent) + certain)
        broken = sum(one.probability for one in situation.diagnosis.causes if one.cause in _BROKEN)
        return self._config.unseen_harm_points if broken >= 0.5 else 0.0

    def _knows_labels(self, situation: Situation) -> bool:
        labels = situation.diagnosis.label_state
        return (labels.coverage or 0.0) >= self._config.label_coverage and labels.rows >= self._config.label_rows

    def _missed_points(self, situation: Situation) -> float | None:
        """Quality to gain from a feature that is missing, in points: halfway between what was measured and what is certain."""
        seen = situation.diagnosis.headroom
        if seen is None or not self._knows_labels(situation):
            return None
        return 50.0 * (max(0.0, seen.value) + max(0.0, seen.low)) if seen.low > 0 else 0.0

    def _patience(self, situation: Situation) -> float | None:
        """Waiting is worth a little while nothing is known, and nothing once it is."""
        return 0.01 if situation.waits_left > 0 and not self._knows_labels(situation) else None

    def _excluded(self, situation: Situation) -> dict[str, str]:
        excluded: dict[str, str] = {}
        for action in sorted(TRAINS):
            if not self._knows_labels(situation):
                excluded[action] = "too few labels are known"
            elif not situation.may_promote:
                excluded[action] = "the promotion budget has no room"
        if not situation.has_windows:
            excluded["search_features_and_retrain"] = "the model is served elsewhere, where nobody computes windows"
        if not situation.can_roll_back:
            excluded["rollback"] = "no earlier champion is known"
        return excluded

    def _reasons(self, best: Action, situation: Situation) -> tuple[Reason, ...]:
        seen, labels = situation.diagnosis.performance, situation.diagnosis.label_state
        causes = sorted(situation.diagnosis.causes, key=lambda one: (-one.probability, one.cause))[:3]
        said = [", ".join(f"{one.cause} {one.probability:.2f}" for one in causes) or "no cause found"]
        if seen.reference is not None and seen.recent is not None:
            said.append(f"quality {seen.recent:.4f} against {seen.reference:.4f} at validation")
        said.append(f"{labels.rows} labelled rows, coverage {labels.coverage if labels.coverage is not None else 0.0:.2f}")
        said.append(f"{best} has the highest utility; {situation.promotions} promotions in the last 30 days")
        return tuple(Reason(text=text, evidence=situation.evidence) for text in said)


# From doing least to doing most: the order in which ties are broken.
_ORDER: Final[tuple[Action, ...]] = (
    "no_action", "wait_for_labels", "alert_upstream", "rollback", "retrain", "search_features_and_retrain",
)  # fmt: skip


def _known(utility: float | None) -> float:
    return float("-inf") if utility is None else utility
