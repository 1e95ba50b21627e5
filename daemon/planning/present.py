"""What is known now of a model and an incident: as a situation for planners, as facts for guardrails."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Plan
from daemon.places import Places
from daemon.planners.base import TRAINS, Diagnosis, Situation
from daemon.planning.config import PlanningConfig
from daemon.planning.guardrails import MONTH_MS, Facts, deployment_freeze, promotion_room_ms
from daemon.planning.tried import Tried
from streams.contracts.bundle import Manifest

_MOST_EVIDENCE = 20


class Case(NamedTuple):
    """An incident, the champion that serves now, and the event time."""

    incident: Incident
    champion: str
    now_ms: int


class Waits(NamedTuple):
    """How long a wait for labels takes, in event time, and how often to wait at most."""

    label_wait_ms: int
    most: int


class Present:
    """One model's present.

    Args:
        ledger: promotions, lessons and experiments are read here.
        places: where the registry is.
        config: limits and windows.
        known_skills: names of the skills that exist.
        waits: for labels.
        has_windows: whether the model's server computes windows.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        config: PlanningConfig,
        known_skills: frozenset[str],
        *,
        waits: Waits,
        has_windows: bool = True,
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config
        self._known_skills = known_skills
        self._waits = waits
        self._has_windows = has_windows
        self._tried = Tried(ledger, places, config)

    def frozen(self, now_ms: int) -> str:
        """Say why nothing may be deployed now; empty when it may."""
        return deployment_freeze(now_ms, self._ledger.frozen_by(self._places.model), self._config)

    def facts(self, plan: Plan, case: Case) -> Facts:
        """Return what the guardrails look at."""
        incident, model = case.incident, self._places.model
        diagnosis = diagnosis_of(incident)
        likely = diagnosis.likely
        return Facts(
            now_ms=case.now_ms,
            known_skills=self._known_skills,
            frozen_by=self._ledger.frozen_by(model),
            promoted_ms=self._ledger.spent_at(model, "promotion"),
            training_minutes=self._ledger.spent(model, "training_minutes", case.now_ms - MONTH_MS),
            tried=self._ledger.experiments(model, plan.configuration) if plan.configuration else (),
            champion=case.champion,
            reads=_read_from(plan, self._places),
            declared=self._places.schema,
            cause=likely.cause if likely is not None else "",
            requester_role=incident.details.get("requester_role"),
            change=diagnosis.change,
        )

    def situation(self, case: Case) -> Situation:
        """Return what planners may know."""
        (incident, champion, now_ms), model = case, self._places.model
        promoted = self._ledger.spent_at(model, "promotion")
        earliest_ms = now_ms + self._config.training_budget.ms + self._config.shadow.ms
        earlier = {step.payload.get("champion") for step in self._ledger.deployments(model, "done")} - {champion, None}
        diagnosis = diagnosis_of(incident)
        others = self._tried.others(incident, diagnosis, champion, now_ms)
        return Situation(
            now_ms=now_ms,
            incident_cause=incident.cause,
            incident=incident.id,
            diagnosis=msgspec.structs.replace(diagnosis, archived=others),
            promotions=sum(time_ms > now_ms - MONTH_MS for time_ms in promoted),
            may_promote=promotion_room_ms(earliest_ms, promoted, self._config.promotions_per_30d) == earliest_ms,
            lessons=tuple(self._ledger.lessons(model)),
            waits_left=max(0, self._waits.most - incident.details.get("rounds", 0)),
            submitted=bool(incident.challenger),
            can_roll_back=bool(earlier),
            has_windows=self._has_windows,
            wait_ms=self._waits.label_wait_ms,
            is_frozen=bool(self.frozen(now_ms)),
            tried=self._tried.trainings(champion, now_ms),
            evidence=tuple(event.id for event in self._ledger.events_of(incident.id)[:_MOST_EVIDENCE]),
        )


def diagnosis_of(incident: Incident) -> Diagnosis:
    """Return what the diagnosis found; it says nothing where there was none."""
    return msgspec.convert(incident.details.get("diagnosis", {}), Diagnosis)


def _read_from(plan: Plan, places: Places) -> Manifest | None:
    """Return the bundle whose columns and windows a training begins from, or that comes back."""
    if plan.action in TRAINS:
        return places.manifest(plan.champion)
    restored = [step.arguments["challenger"] for step in plan.steps if step.skill == "compare_models"]
    return places.manifest(str(restored[0])) if plan.action == "restore_archived" else None
