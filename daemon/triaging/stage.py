"""Triaging: new events become incidents, and an incident becomes a question to the diagnosis."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from daemon.errors import RunFailedError
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Move, PlanStep
from daemon.places import Places
from daemon.planners.base import Diagnosis
from daemon.triaging.config import TriagingConfig
from daemon.triaging.triage import (
    CHALLENGE,
    DATA,
    Silence,
    Standing,
    Told,
    effects_of,
    in_order,
    is_told,
    served_since,
    triage,
)
from skills._kit.ranges import Lengths
from skills._kit.told import HARM
from streams.contracts.events import DriftEvent
from streams.runtime.clock import text_of
from streams.runtime.logging import Log

log = Log("daemon.triaging.stage")

# What people were told of, by what the diagnosis calls it.
_FOUND: Final[dict[str, Literal["broken", "harmless", "said"]]] = {
    "upstream_data_break": "broken",
    "harmless_shift": "harmless",
    "false_alarm": "harmless",
}
# What is less probable than this to be harmless may still do harm.
_LIKELY = 0.5
# A storm of events adds nothing to a diagnosis after the first hundred; all of them are in the ledger.
_MOST_EVENTS = 100
# Each is scored on the rows since a change; who was replaced long ago is seldom right again.
_MOST_ARCHIVED = 3


class Triaging:
    """One model's door for events.

    Args:
        ledger: where events wait and incidents are opened.
        places: where the skills find the lake and the registry.
        config: cooldown, range of the diagnosis, waiting for labels.
        lengths: into which parts plans split rows, which the diagnosis counts.
    """

    def __init__(self, ledger: Ledger, places: Places, config: TriagingConfig, lengths: Lengths) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config
        self._lengths = lengths

    def triage(self, champion: str, now_ms: int) -> None:
        """Decide on all events up to `now_ms`, in event-time order whatever order they came in."""
        for event in in_order(self._ledger.new_events(self._places.model, now_ms)):
            standing = self._standing(event, champion)
            decision = triage(event, standing, Silence(self._config.cooldown.ms, self._config.reminder.ms))
            if decision.what == "open":
                opened = self._ledger.open_for_event(event, event.kind, champion, decision.rule, now_ms)
                log.info("IncidentOpened", incident=opened.id, cause=event.kind, event_time=text_of(now_ms))
                continue
            if decision.what == "fold":
                self._wake(next(one for one in standing.under_way if one.id == decision.incident), event, now_ms)
            settled = "folded" if decision.what == "fold" else "ignored"
            self._ledger.settle_event(event, settled, decision.rule, decision.incident, now_ms)

    def _wake(self, incident: Incident, event: DriftEvent, now_ms: int) -> None:
        """Have a new champion that alarms tell ill of compared at once: its probation would wait for weeks."""
        tells_ill = event.kind in HARM and event.transition == "confirmed" and event.digest in {"", incident.challenger}
        if incident.state != "probation" or not tells_ill:
            return
        details = {"alarmed_ms": incident.details.get("alarmed_ms", now_ms)}
        reason = f"{event.kind} was confirmed of the new champion"
        self._ledger.move(incident, Move(to="probation", reason=reason, rule="alarmed", details=details), now_ms)

    def _standing(self, event: DriftEvent, champion: str) -> Standing:
        known = self._ledger.incidents(self._places.model)
        under_way, ended = [one for one in known if not one.is_over], [one for one in known if one.is_over]
        since_ms = event.time_ms - self._config.reminder.ms
        lately = [one for one in ended if one.moved_ms > since_ms and is_told(one.cause)] if is_told(event.kind) else []
        told = [self._told(one, champion) for one in lately]
        return Standing(champion, under_way, ended, [one for one in told if one is not None])

    def _told(self, incident: Incident, champion: str) -> Told | None:
        likely = msgspec.convert(incident.details.get("diagnosis", {}), Diagnosis).likely
        found = _FOUND.get(likely.cause) if likely is not None else None
        if incident.cause == DATA and found != "broken":
            found = "said"
        elif found == "harmless" and (incident.champion != champion or likely is None or likely.probability < _LIKELY):
            # What did another champion no harm may do this one some.
            found = None
        if found is None:
            return None
        events = self._ledger.events_of(incident.id)
        last_ms = max((one.time_ms for one in events), default=incident.moved_ms)
        # What was only noted since must not make the next step seem small.
        effects = effects_of(one for one in events if one.time_ms <= incident.moved_ms)
        inputs_ms = max((one.time_ms for one in events if one.kind not in HARM), default=0)
        ended_ms = incident.moved_ms
        return Told(incident.id, incident.cause, found, effects, ended_ms, max(last_ms, ended_ms), inputs_ms)

    def question(self, incident: Incident, now_ms: int) -> PlanStep:
        """Return the call of the diagnosis for an open incident, one per round of waiting.

        What was said at the same time and is only noted, because something like it was dealt with lately, is evidence all the
        same. So is when the champion took over: what began just then may be our own doing.
        """
        deployed = [step.payload for step in self._ledger.deployments(self._places.model, "done")]
        events = (self._ledger.events_of(incident.id) + self._ledger.events_beside(incident.id))[:_MOST_EVENTS]
        arguments: dict[str, Any] = self._places.arguments(incident.champion) | {
            "now_ms": self._places.until_ms(now_ms),
            "events": [msgspec.to_builtins(event) for event in events],
            "recent_ms": self._config.recent.ms,
            "recent_rows": self._config.recent_rows,
            "deployed_ms": served_since(deployed, incident.champion),
            "archived": self._archived(incident.champion),
            **self._lengths._asdict(),
        }
        return PlanStep(key=f"diagnose_{incident.details.get('rounds', 0)}", skill="diagnose_drift", arguments=arguments)

    def _archived(self, champion: str) -> list[str]:
        """Return the champions before the present one, the newest first: one of them may be right again."""
        served = [step.payload.get("champion") for step in self._ledger.deployments(self._places.model, "done")]
        return [digest for digest in dict.fromkeys(reversed(served)) if digest not in {None, champion}][:_MOST_ARCHIVED]

    def needs_no_diagnosis(self, incident: Incident) -> bool:
        """Whether somebody asked for a given act, so that there is nothing to find out."""
        return incident.cause == CHALLENGE

    def understand(self, answer: dict[str, Any]) -> Move:
        """Turn the diagnosis into a move.

        Raises:
            RunFailedError: the answer isn't a diagnosis.
        """
        try:
            diagnosis = msgspec.convert(answer, Diagnosis)
        except msgspec.ValidationError as error:
            raise RunFailedError("bad_answer", f"diagnose_drift: {error}") from error
        likely = diagnosis.likely
        reason = f"{likely.cause} with probability {likely.probability:.2f}" if likely is not None else "no cause found"
        return Move(to="diagnosed", reason=reason, rule="diagnosis", details={"diagnosis": answer})
