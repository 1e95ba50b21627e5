"""Plans as Claude might submit them, sound ones and ruined ones, and situations that rule actions out. Seeded."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final, get_args

import numpy as np

from daemon.planners.base import FORCED, REPLACES, TRAINS, Action, Archived, Cause, Diagnosis, LabelState, Performance, Situation

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
_CAUSES: Final = (
    "concept_change",
    "harmful_shift",
    "upstream_data_break",
    "label_trouble",
    "serving_bug",
    "false_alarm",
    "bad_swap",
)
_JUNK: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1e308, float("nan"), float("inf"), 10**400, "", "\x1b[2J", "promote_submitted", "rollback; rm -rf /", [],
    {}, ["promote_submitted"], {"action": "promote_submitted"}, "x" * 5_000, "see https://evil.example",
)  # fmt: skip


class PlanFuzzer:
    """Draws situations and plans.

    Args:
        rng: draws everything.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._ways: tuple[Callable[[dict[str, Any]], None], ...] = (
            self._another_action, self._no_field, self._junk_in_a_field, self._more_fields, self._doubled, self._junk_in_a_list,
            self._unweighed,
        )  # fmt: skip

    def situation(self) -> Situation:
        """Draw a situation."""
        first, second = self._rng.choice(len(_CAUSES), 2, replace=False)
        share = float(self._rng.uniform(0.5, 1.0))
        recent = float(self._rng.uniform(0.5, 0.76))
        diagnosis = Diagnosis(
            causes=(Cause(cause=_CAUSES[first], probability=share), Cause(cause=_CAUSES[second], probability=1 - share)),
            label_state=LabelState(coverage=float(self._rng.uniform(0, 1)), rows=int(self._rng.integers(0, 5_000))),
            performance=Performance(reference=0.75, recent=recent, low=recent - 0.01, high=recent + 0.01),
            archived=self._archived(),
        )
        chances = (0.7, 0.1, 0.5, 0.7, 0.2)
        may_promote, submitted, can_roll_back, has_windows, is_frozen = (bool(one) for one in self._rng.random(5) < chances)
        tried = tuple(action for action in sorted(REPLACES) if self._rng.random() < 0.1)
        return Situation(
            now_ms=1_700_000_000_000, incident_cause="loss_drift", diagnosis=diagnosis, promotions=0, may_promote=may_promote,
            waits_left=int(self._rng.integers(0, 3)), submitted=submitted, can_roll_back=can_roll_back, has_windows=has_windows,
            is_frozen=is_frozen, tried=tried, evidence=("event-1",),
        )  # fmt: skip

    def _archived(self) -> tuple[Archived, ...]:
        value = float(self._rng.uniform(-0.1, 0.2))
        one = Archived(digest="a" * 64, value=value, low=value - 0.03, high=value + 0.03, rows=500)
        return (one,) if self._rng.random() < 0.5 else ()

    def plan(self, action: str | None = None) -> dict[str, Any]:
        """Draw a plan that is well formed, whatever its action."""
        chosen = action or str(self._rng.choice(ACTIONS))
        weighed = {"no_action": 0.0, chosen: float(self._rng.uniform(0, 5))}
        return {
            "action": chosen,
            "reasons": [{"text": "because of the numbers", "evidence": ["event_001"]}],
            "utilities": [{"action": name, "points": points} for name, points in weighed.items()],
            "excluded": [],
        }

    def mutated(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Ruin a plan in one to three ways."""
        ruined = copy.deepcopy(plan)
        for _ in range(int(self._rng.integers(1, 4))):
            self._ways[int(self._rng.integers(len(self._ways)))](ruined)
        return ruined

    def _another_action(self, plan: dict[str, Any]) -> None:
        plan["action"] = str(self._rng.choice(ACTIONS))

    def _no_field(self, plan: dict[str, Any]) -> None:
        plan.pop(self._one_of(sorted(plan)) if plan else "", None)

    def _junk_in_a_field(self, plan: dict[str, Any]) -> None:
        plan[self._one_of(["action", "reasons", "utilities", "excluded"])] = self._one_of(_JUNK)

    def _more_fields(self, plan: dict[str, Any]) -> None:
        plan[self._one_of(["steps", "autonomy", "proposer", "force", "__class__"])] = self._one_of(_JUNK)

    def _doubled(self, plan: dict[str, Any]) -> None:
        if isinstance(plan.get("utilities"), list):
            plan["utilities"] = plan["utilities"] * 2

    def _junk_in_a_list(self, plan: dict[str, Any]) -> None:
        what = self._one_of(["reasons", "utilities", "excluded"])
        if isinstance(plan.get(what), list):
            plan[what] = [
                *plan[what],
                {"action": self._one_of(_JUNK), "points": self._one_of(_JUNK), "text": self._one_of(_JUNK)},
            ]

    def _unweighed(self, plan: dict[str, Any]) -> None:
        if isinstance(plan.get("utilities"), list):
            plan["utilities"] = [{"action": "no_action", "points": 0.0}]

    def _one_of(self, values: Any) -> Any:
        return values[int(self._rng.integers(len(values)))]


def forbidden(situation: Situation) -> frozenset[str]:
    """Return what may on no account be done in a situation, told from its fields alone and not by any planner."""
    labels = situation.diagnosis.label_state
    few_labels = (labels.coverage or 0.0) < 0.5 or labels.rows < 500
    likely = situation.diagnosis.likely
    broken = likely is not None and likely.cause == "upstream_data_break" and likely.probability > 0.95
    no_swap = situation.is_frozen or not situation.may_promote
    rules: dict[str, bool] = {
        FORCED: True,
        **{action: no_swap or few_labels or situation.submitted or action in situation.tried for action in REPLACES},
        "wait_for_labels": situation.waits_left <= 0 or situation.submitted,
        "rollback": not situation.can_roll_back or situation.submitted,
        "judge_submitted": not situation.submitted,
    }
    if not situation.has_windows:
        rules["search_features_and_retrain"] = True
    if broken:
        rules |= dict.fromkeys(TRAINS, True)
    if not any(one.low > 0 for one in situation.diagnosis.archived):
        rules["restore_archived"] = True
    return frozenset(action for action, is_forbidden in rules.items() if is_forbidden)
