"""`driftwake status` and `incidents`: looking on at the ledger while a daemon works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from daemon.commands.errors import BadInputError
from daemon.ledger.audit import Head, Key
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident
from daemon.settings import DaemonSettings


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one model stands, as the ledger knows it. `digest` and `generation` are of the newest deployment that took effect."""

    model: str
    autonomy: str
    digest: str
    generation: int
    frozen_by: str | None
    open_incidents: int
    state: str
    incidents: int
    promotions: int
    newest_ms: int | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands. `audit_head` is worth noting elsewhere: `driftwake audit verify --anchor` checks against it."""

    models: tuple[ModelStatus, ...]
    audit_head: str


@contextmanager
def reading(settings: DaemonSettings, key: Key | None = None) -> Iterator[Ledger]:
    """Open the ledger for reading; the key checks the seals of its audit.

    Raises:
        LedgerError: it isn't there or has another schema.
    """
    with open_ledger(settings.ledger_place, read_only=True, key=key) as ledger:
        yield ledger


def status_of(settings: DaemonSettings, ledger: Ledger) -> Status:
    """Say how every model stands."""
    models = tuple(_model_status(model.name, model.planning.autonomy, ledger) for model in settings.models)
    return Status(models=models, audit_head=anchor_text(ledger.head()))


def incidents_of(settings: DaemonSettings, ledger: Ledger, model: str | None, *, only_open: bool) -> list[Incident]:
    """List incidents, oldest first.

    Raises:
        BadInputError: the config has no such model.
    """
    return ledger.incidents(known_model(settings, model) if model else None, only_open=only_open)


def find_incident(ledger: Ledger, name: str) -> Incident:
    """Find an incident by its id, or by any part of it that only one has.

    Raises:
        BadInputError: none or several match.
    """
    return matching(ledger.incidents(), name)


def matching(known: Sequence[Incident], name: str) -> Incident:
    """Find one of some incidents by its id, or by any part of it that only one has.

    Raises:
        BadInputError: none or several match.
    """
    found = [one for one in known if one.id == name] or [one for one in known if name and name in one.id]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInputError(f"{len(found)} incidents have {name!r} in their id: {', '.join(one.id for one in found[:5])}")
    raise BadInputError(f"no incident {name!r}; `driftwake incidents` lists {len(known)}")


def known_model(settings: DaemonSettings, name: str) -> str:
    """Return a model's name if the config has it.

    Raises:
        BadInputError: it hasn't.
    """
    try:
        return settings.model(name).name
    except KeyError as error:
        raise BadInputError(str(error.args[0])) from None


def anchor_text(head: Head) -> str:
    """Write a head the way `--anchor` takes it."""
    return f"{head.number}:{head.hash}"


def _model_status(model: str, autonomy: str, ledger: Ledger) -> ModelStatus:
    incidents = ledger.incidents(model)
    under_way = [one for one in incidents if not one.is_over]
    deployed: list[dict[str, Any]] = [step.payload for step in ledger.deployments(model, "done")]
    newest = deployed[-1] if deployed else {}
    return ModelStatus(
        model=model,
        autonomy=autonomy,
        digest=str(newest.get("champion", "")),
        generation=int(newest.get("generation", 0)),
        frozen_by=ledger.frozen_by(model),
        open_incidents=len(under_way),
        state=under_way[-1].state if under_way else "quiet",
        incidents=len(incidents),
        promotions=len(ledger.spent_at(model, "promotion")),
        newest_ms=max((one.moved_ms for one in incidents), default=None),
    )
