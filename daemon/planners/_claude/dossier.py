"""What Claude may look at: the situation and the recorded events, said in numbers, closed words and registered names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, get_args

from daemon.ledger.records import Lesson, State
from daemon.planners._claude.words import Names, number, numbers, word
from daemon.planners.base import Action, Situation
from daemon.planners.policy import RECOVERY
from skills._kit.causes import Cause
from streams.contracts.events import KINDS, DriftEvent, Evidence, Transition
from streams.contracts.schema import ModelSchema

MOST: Final = 20
"""Most entries of any list."""

OPENERS: Final = frozenset({*KINDS, "challenge", "request"})
CAUSES: Final = frozenset({*get_args(Cause), *(cause for shares in RECOVERY.values() for cause in shares), "unknown"})
ACTIONS: Final = frozenset({*get_args(Action), "none"})
# The names of `skills/_kit/causes.py: explain`; a test holds the two together.
SIGNS: Final = frozenset(
    {
        "missing_change", "windows_missing_change", "windows_strange_share", "strange_share", "scale_log10",
        "columns_of_one_value", "flagged_share", "rescored_mismatch_share",
        "delay_ratio", "corrected_share", "one_class", "labels_missing", "segment_share", "segment_excess_share",
        "nearness_to_history", "earlier_champion_gain", "earlier_champions_compared", "earlier_champions_rows", "largest_psi",
        "loss_z", "loss_change", "quality_drop",
        "estimated_loss_change", "credence_of_loss_alarms", "credence_of_data_alarms",
        "days_after_own_deployment", "chance_of_so_soon", "loss_z_at_deployment", "loss_change_at_deployment",
        "psi_at_deployment",
    }
)  # fmt: skip
LEARNT: Final = frozenset(
    {
        "cause_probability", "lasted_ms",
        *(f"{phase}_{what}" for phase in ("sealed", "shadow", "probation") for what in ("difference", "low", "high", "rows")),
    }
)  # fmt: skip
UNITS: Final = frozenset(
    {
        "AUC", "Cramér's V", "KS distance", "bins of delay", "mean gap of the cumulative distributions", "powers of ten",
        "powers of two", "probability", "share of buckets", "share of distinct rows", "share of requests", "share of rows",
        "standard deviations of a label", "standard deviations of a residual", "standard deviations of a row",
        "standard deviations of a row's attribution", "standard deviations of a row's loss",
    }
)  # fmt: skip
"""In which detectors say effects; a test holds them together."""
_STATES: Final = frozenset(get_args(State))
_TRANSITIONS: Final = frozenset(get_args(Transition))
_DAY_MS: Final = 86_400_000
_OF_ARCHIVED: Final = ("value", "low", "high", "rows", "labelled", "compared")
# What monitors watch of a slice begins so.
_OF_SLICE: Final = "slice "


class Dossier:
    """One situation, as it may be told.

    Args:
        situation: what is to be decided about.
        events: that opened the incident or folded into it, as recorded.
        schema: the registered columns.
        detectors: the kinds that there are.
    """

    def __init__(
        self, situation: Situation, events: Sequence[DriftEvent], schema: ModelSchema, detectors: Collection[str]
    ) -> None:
        self._situation = situation
        self._events = events
        self._detectors = detectors
        self._names = Names(schema)
        self.handles = {f"event_{place:03d}": event for place, event in enumerate(situation.evidence[:MOST], start=1)}
        """What reasons may cite, and the ids that stand behind."""

    def overview(self) -> dict[str, Any]:
        """Return what is told at the beginning: who raised the incident, the probable causes, and what is possible now."""
        causes = sorted(self._situation.diagnosis.causes, key=lambda one: (-one.probability, one.cause))[:MOST]
        return {
            "opened_by": word(self._situation.incident_cause, OPENERS),
            "causes": [
                {
                    "cause": word(one.cause, CAUSES),
                    "probability": number(one.probability),
                    "signs": numbers(one.evidence, SIGNS),
                }
                for one in causes
            ],
            "limits": self.limits(),
            "events_to_cite": sorted(self.handles),
        }

    def limits(self) -> dict[str, Any]:
        """Return what is possible now: every field of the situation that is a number or a yes or no, and what was tried."""
        values = {name: getattr(self._situation, name) for name in self._situation.__struct_fields__ if name != "now_ms"}
        said = {
            name: value if isinstance(value, bool) else number(value)
            for name, value in values.items()
            if isinstance(value, bool | int | float)
        }
        return said | {"tried_in_vain": [word(action, ACTIONS) for action in self._situation.tried[:MOST]]}

    def drift(self, top: int) -> list[dict[str, Any]]:
        """Return the columns that moved, most moved first, and which of them look as if they came in another unit."""
        units = {str(one.get("feature")): one for one in self._situation.diagnosis.rescaled}
        moved = sorted(self._situation.diagnosis.moved, key=lambda one: -(number(one.get("statistic")) or 0.0))
        return [
            {
                "column": self._names.column(one.get("feature", one.get("column"))),
                "psi": number(one.get("statistic")),
                "effect": number(one.get("effect")),
                "times_the_usual": number(units.get(str(one.get("feature")), {}).get("factor")),
            }
            for one in moved[: min(top, MOST)]
        ]

    def slices(self, top: int) -> list[dict[str, Any]]:
        """Return the slices on which the model is worst, as the diagnosis ranked them."""
        return [
            self._names.part(one.get("slice"))
            | {"rows": number(one.get("rows")), "loss": number(one.get("loss")), "excess_loss": number(one.get("excess"))}
            for one in self._situation.diagnosis.slices[: min(top, MOST)]
        ]

    def labels(self) -> dict[str, Any]:
        """Return how much truth came in, and how late."""
        seen = self._situation.diagnosis.label_state
        return {name: number(getattr(seen, name)) for name in seen.__struct_fields__}

    def performance(self) -> dict[str, Any]:
        """Return quality as validated and recently, what a missing feature could bring, and how earlier champions do now."""
        found = self._situation.diagnosis
        seen, room, change = found.performance, found.headroom, found.change
        return {
            **{name: number(getattr(seen, name)) for name in seen.__struct_fields__},
            "headroom": None if room is None else {name: number(getattr(room, name)) for name in room.__struct_fields__},
            "change": None
            if change is None
            else {
                "days_ago": self._days_ago(change.since_ms),
                "rows": number(change.rows),
                "train_rows": number(change.train_rows),
            },
            "archived": [{name: number(getattr(one, name)) for name in _OF_ARCHIVED} for one in found.archived[:MOST]],
        }

    def events(self, top: int) -> list[dict[str, Any]]:
        """Return what monitors stated, oldest first."""
        handles = {event: handle for handle, event in self.handles.items()}
        return [
            {
                "event": handles.get(event.id),
                "kind": word(event.kind, OPENERS),
                "transition": word(event.transition, _TRANSITIONS),
                "detector": word(event.detector, self._detectors),
                "days_ago": self._days_ago(event.time_ms),
                "rows": number(event.rows),
                "is_calibrated": bool(event.is_calibrated),
                "evidence": [self._stated(one) for one in event.evidence[:3]],
            }
            for event in self._events[: min(top, MOST)]
        ]

    def past(self, top: int) -> list[dict[str, Any]]:
        """Return what earlier incidents of the model taught, newest first."""
        lessons: list[Lesson] = sorted(self._situation.lessons, key=lambda one: -one.time_ms)
        return [
            {
                "cause": word(one.cause, CAUSES),
                "action": word(one.action, ACTIONS),
                "outcome": word(one.outcome, _STATES),
                "days_ago": self._days_ago(one.time_ms),
                "numbers": numbers(one.numbers, LEARNT),
            }
            for one in lessons[: min(top, MOST)]
        ]

    def _stated(self, evidence: Evidence) -> dict[str, Any]:
        watched, is_slice = evidence.watched.removeprefix(_OF_SLICE), evidence.watched.startswith(_OF_SLICE)
        part = self._names.part(watched) if is_slice or self._names.is_part(watched) else {"column": self._names.column(watched)}
        return part | {
            "p_value": number(evidence.p_value),
            "effect": number(evidence.effect),
            "unit": word(evidence.effect_unit, UNITS),
            "rows": number(evidence.rows),
        }

    def _days_ago(self, time_ms: int) -> float | int | None:
        return number(round((self._situation.now_ms - time_ms) / _DAY_MS, 1))
