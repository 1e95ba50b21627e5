"""Which events open an incident, which fold into one, which are only noted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from daemon.ledger.ids import IncidentId
from daemon.ledger.records import Incident
from skills._kit.told import HARM
from streams.contracts.events import DriftEvent

What = Literal["open", "fold", "ignore"]

DATA = "data_quality"
SERVING = "serving"
CHALLENGE = "challenge"
REQUEST = "request"
# Causes whose repair may train a model; a model has at most one such incident at a time. A change of the labels is one, since it
# puts scores off whether or not the loss tells of it.
TRAINING = frozenset(
    {"feature_drift", "score_drift", "label_drift", "loss_drift", "performance", "performance_estimate", CHALLENGE, REQUEST}
)
# What is said of the inputs alone: one diagnosis speaks for both, since it looks at all inputs and at the score. It doesn't look
# at the share of labels, so what it says of the inputs calms no change of those.
SHIFT = frozenset({"feature_drift", "score_drift", "performance_estimate"})
_KNOWN = (TRAINING - {CHALLENGE, REQUEST}) | {DATA, SERVING}
# Effects so many times as large as those that were told of are news.
_GROWN = 1.5


class Told(NamedTuple):
    """What people were told of columns: the incident, how it ended, and when the columns were last spoken of.

    `found` says whether the columns were found broken, found to have moved without harm, or only said to be broken. `effects`
    are how far each moved, by column and method; `inputs_ms` is when something else than harm was last said, 0 if never.
    """

    incident: IncidentId
    cause: str
    found: Literal["broken", "harmless", "said"]
    effects: Mapping[tuple[str, str], float]
    ended_ms: int
    last_ms: int
    inputs_ms: int = 0

    @property
    def columns(self) -> AbstractSet[str]:
        """What was spoken of."""
        return {watched for watched, _ in self.effects}


class Standing(NamedTuple):
    """What is known of the model: the bundle it serves, its open incidents, the ones that ended, and what people were told."""

    champion: str
    under_way: Sequence[Incident]
    ended: Sequence[Incident]
    told: Sequence[Told] = ()

    @property
    def broken_ms(self) -> int:
        """When something else than harm was last said of data that was found broken, 0 if never."""
        return max((one.inputs_ms for one in self.told if one.found == "broken"), default=0)


class Silence(NamedTuple):
    """How long nothing more is opened: after an incident, and about columns that stay broken until people are reminded."""

    cooldown_ms: int
    reminder_ms: int


class Decision(NamedTuple):
    """What to do with an event, and the rule that says so. `incident` is set when it folds."""

    what: What
    rule: str
    incident: IncidentId | None = None


def triage(event: DriftEvent, standing: Standing, silence: Silence) -> Decision:
    """Decide on one event, given everything before it."""
    home = _home(event.kind, standing.under_way)
    if home is not None:
        return Decision("fold", home.rule, home.incident.id)
    if event.transition != "confirmed":
        return Decision("ignore", f"only_confirmed_events_open: {event.transition}")
    if event.kind not in _KNOWN:
        return Decision("ignore", "unknown_kind")
    if event.digest and event.digest != standing.champion:
        return Decision("ignore", "about_an_earlier_bundle")
    return _silenced(event, standing, silence) or Decision("open", "confirmed_and_nobody_deals_with_it")


def _silenced(event: DriftEvent, standing: Standing, silence: Silence) -> Decision | None:
    told = next((one for one in standing.told if _is_told(event, one, standing, silence)), None)
    if told is not None:
        return Decision("ignore", "people_were_told", told.incident)
    last = max((incident.moved_ms for incident in standing.ended if _calms(incident, event.kind)), default=None)
    if last is not None and event.time_ms < last + silence.cooldown_ms:
        return Decision("ignore", "cooldown")
    return None


class _Home(NamedTuple):
    """The incident that an event folds into, and why."""

    incident: Incident
    rule: str


def in_order(events: Iterable[DriftEvent]) -> list[DriftEvent]:
    """Return events as they are to be decided on: by event time, and of one time broken data before what it may have moved."""
    return sorted(events, key=lambda event: (event.time_ms, event.kind != DATA))


def columns_of(event: DriftEvent) -> set[str]:
    """Return what an event is about."""
    return {one.watched for one in event.evidence}


def effects_of(events: Iterable[DriftEvent]) -> dict[tuple[str, str], float]:
    """Return how far each column was said to have moved at most, by column and method."""
    found: dict[tuple[str, str], float] = {}
    for one in (one for event in events for one in event.evidence):
        found[one.watched, one.method] = max(found.get((one.watched, one.method), 0.0), abs(one.effect))
    return found


def is_told(kind: str) -> bool:
    """Whether a kind of event may be about columns that people were told of."""
    return kind == DATA or kind in SHIFT | HARM


def _is_told(event: DriftEvent, told: Told, standing: Standing, silence: Silence) -> bool:
    """Whether an event says nothing that people weren't told: the same columns.

    Broken ones haven't been quiet since; those that moved without harm haven't moved much further. Another column is news, and so
    is what becomes of the labels and the loss; that a break does harm is said once, as long as the inputs aren't well.
    """
    if event.time_ms >= told.ended_ms + silence.reminder_ms or not columns_of(event) <= told.columns:
        return False
    if told.found == "harmless":
        return event.kind in SHIFT and not _has_grown(event, told)
    if event.kind in HARM:
        return told.found == "broken" and told.cause in HARM and event.time_ms <= standing.broken_ms + silence.cooldown_ms
    speaks_for = event.kind == DATA or (told.found == "broken" and event.kind in SHIFT)
    return speaks_for and event.time_ms <= told.last_ms + silence.cooldown_ms


def _has_grown(event: DriftEvent, told: Told) -> bool:
    return any(effect > _GROWN * told.effects.get(key, effect) for key, effect in effects_of([event]).items())


def _home(kind: str, under_way: Sequence[Incident]) -> _Home | None:
    """Say where an event belongs, if anywhere.

    What is said of the inputs joins broken data that nobody has diagnosed yet: that diagnosis looks at all inputs, and whatever
    moved them may only be the break. A change of labels or losses stands for itself.
    """
    same = [_Home(one, "one_incident_per_cause") for one in under_way if one.cause == kind]
    training = [_Home(one, "one_training_incident_per_model") for one in under_way if kind in TRAINING and one.cause in TRAINING]
    broken = [
        _Home(one, "diagnosed_with_the_broken_data")
        for one in under_way
        if kind in SHIFT and one.cause == DATA and one.state == "open"
    ]
    return next(iter([*same, *training, *broken]), None)


def _calms(incident: Incident, kind: str) -> bool:
    """Whether an ended incident speaks for this kind: its own cause, both of the inputs, or any training after a swap.

    Broken data is told of by column.
    """
    swapped = incident.state in {"closed", "rolled_back"}
    return kind != DATA and (
        incident.cause == kind or {kind, incident.cause} <= SHIFT or (swapped and kind in TRAINING and incident.cause in TRAINING)
    )


def served_since(deployments: Sequence[Mapping[str, Any]], champion: str) -> int | None:
    """Return when a bundle took over from another one, the last time in event time; None where it never did.

    Args:
        deployments: as they were published, in order of their generation.
        champion: digest of the bundle.
    """
    took_over = [now for before, now in pairwise(deployments) if now.get("champion") == champion != before.get("champion")]
    return int(took_over[-1]["effective_ms"]) if took_over else None
