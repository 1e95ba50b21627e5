"""Where a command's answers come from: a daemon's API, or, where none runs, its ledger, which is only read.

The one place that chooses. Orders are for a daemon alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

from daemon.access.address import read_address
from daemon.access.secret import LOCAL_FILE, is_token, read_secret
from daemon.api.commands import Asked
from daemon.api.wire import Ordered, Page, TokenLine, Verified
from daemon.claims import Claim
from daemon.commands import auditing, deciding, looking
from daemon.commands.calling import Caller, UnreachableError, part
from daemon.commands.configuring import load_config
from daemon.commands.deciding import Again
from daemon.commands.deployed import SlotsStatus, slots_of
from daemon.commands.explaining import Story, story_of
from daemon.commands.looking import Status
from daemon.commands.remembering import lessons_of
from daemon.commands.standing import GoalStory, goal_story, named
from daemon.errors import DaemonError
from daemon.ledger.audit import AuditRecord, Only
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Goal, Incident, Playbook
from daemon.settings import DaemonSettings
from streams.runtime.config import environment

VARIABLE: Final = "DRIFTWAKE_TOKEN"
"""Environment variable of the command line that holds a token; a file that is named comes first."""

_AT_ONCE: Final = 100
Item = TypeVar("Item")


class Source(Protocol):
    """What can be asked, and told. `settings` are those of the daemon's config, None where it runs elsewhere.

    Methods raise BadInputError for what there isn't, and DaemonError or StreamsError where there is no answer.
    """

    settings: DaemonSettings | None

    def status(self) -> Status:
        """Say how every model stands."""
        ...

    def incidents(self, model: str | None, *, only_open: bool) -> list[Incident]:
        """List incidents, oldest first."""
        ...

    def story(self, name: str) -> Story:
        """Tell an incident, by its id or a part of it."""
        ...

    def again(self, name: str, planner: str | None) -> Again:
        """Decide again on what was known when an incident was planned."""
        ...

    def slots(self, model: str) -> SlotsStatus:
        """Say what is deployed."""
        ...

    def goals(self, model: str | None) -> list[Goal]:
        """List goals in order of proposal."""
        ...

    def goal(self, name: str) -> GoalStory:
        """Tell how a goal stands, by its id or whole digest."""
        ...

    def claims(self, model: str | None) -> list[Claim]:
        """Say what incidents have taught."""
        ...

    def playbooks(self, model: str | None) -> list[Playbook]:
        """List playbooks, those that changed last at the end."""
        ...

    def audit(self, only: Only, after: int, limit: int) -> list[AuditRecord]:
        """Read audit records in order."""
        ...

    def chain(self) -> Iterator[AuditRecord]:
        """Give the whole audit in order, as it stands."""
        ...

    def verify(self, anchor: str | None) -> Verified:
        """Look for an altered audit record."""
        ...

    def order(self, asked: Asked) -> str:
        """Give an order; return its id."""
        ...

    def tokens(self) -> list[TokenLine]:
        """List whose tokens are believed."""
        ...


class FromDaemon:
    """Asks a daemon."""

    def __init__(self, caller: Caller, settings: DaemonSettings | None) -> None:
        self._caller = caller
        self.settings = settings

    def status(self) -> Status:
        """Say how every model stands."""
        return self._caller.get("/v1/status", Status)

    def incidents(self, model: str | None, *, only_open: bool) -> list[Incident]:
        """List incidents, oldest first."""
        return list(self._all("/v1/incidents", Page[Incident], model=model, open=only_open))

    def story(self, name: str) -> Story:
        """Tell an incident, by its id or a part of it."""
        return self._caller.get(f"/v1/incidents/{part(name)}", Story)

    def again(self, name: str, planner: str | None) -> Again:
        """Decide again on what was known when an incident was planned."""
        return self._caller.get(f"/v1/incidents/{part(name)}/decision", Again, planner=planner)

    def slots(self, model: str) -> SlotsStatus:
        """Say what is deployed."""
        return self._caller.get(f"/v1/models/{part(model)}/slots", SlotsStatus)

    def goals(self, model: str | None) -> list[Goal]:
        """List goals in order of proposal."""
        return list(self._all("/v1/goals", Page[Goal], model=model))

    def goal(self, name: str) -> GoalStory:
        """Tell how a goal stands, by its id or whole digest."""
        return self._caller.get(f"/v1/goals/{part(name)}", GoalStory)

    def claims(self, model: str | None) -> list[Claim]:
        """Say what incidents have taught."""
        return self._caller.get("/v1/claims", list[Claim], model=model)

    def playbooks(self, model: str | None) -> list[Playbook]:
        """List playbooks, those that changed last at the end."""
        return self._caller.get("/v1/playbooks", list[Playbook], model=model)

    def audit(self, only: Only, after: int, limit: int) -> list[AuditRecord]:
        """Read audit records in order."""
        most = min(limit, auditing.MOST_SHOWN)
        return list(self._caller.get("/v1/audit", Page[AuditRecord], **only._asdict(), after=after, limit=most).items)

    def chain(self) -> Iterator[AuditRecord]:
        """Give the whole audit in order, as it stands."""
        return self._all("/v1/audit/links", Page[AuditRecord])

    def verify(self, anchor: str | None) -> Verified:
        """Look for an altered audit record."""
        return self._caller.get("/v1/audit/verify", Verified, anchor=anchor)

    def order(self, asked: Asked) -> str:
        """Give an order; return its id."""
        return self._caller.post("/v1/commands", asked, Ordered).id

    def tokens(self) -> list[TokenLine]:
        """List whose tokens are believed."""
        return self._caller.get("/v1/tokens", list[TokenLine])

    def _all(self, path: str, kind: type[Page[Item]], **query: object) -> Iterator[Item]:
        after: str | int | None = None
        while True:
            page = self._caller.get(path, kind, **query, after=after, limit=_AT_ONCE)
            yield from page.items
            after = page.after
            if after is None:
                return


class FromLedger:
    """Reads the ledger of a daemon that doesn't run."""

    def __init__(self, settings: DaemonSettings) -> None:
        self.settings: DaemonSettings | None = settings
        self._settings = settings

    def status(self) -> Status:
        """Say how every model stands."""
        with self._ledger() as ledger:
            return looking.status_of(self._settings, ledger)

    def incidents(self, model: str | None, *, only_open: bool) -> list[Incident]:
        """List incidents, oldest first."""
        with self._ledger() as ledger:
            return looking.incidents_of(self._settings, ledger, model, only_open=only_open)

    def story(self, name: str) -> Story:
        """Tell an incident, by its id or a part of it."""
        with self._ledger() as ledger:
            return story_of(ledger, looking.find_incident(ledger, name))

    def again(self, name: str, planner: str | None) -> Again:
        """Decide again on what was known when an incident was planned."""
        with self._ledger() as ledger:
            return deciding.decide_again(self._settings, ledger, looking.find_incident(ledger, name), planner)

    def slots(self, model: str) -> SlotsStatus:
        """Say what is deployed."""
        return slots_of(self._settings, model)

    def goals(self, model: str | None) -> list[Goal]:
        """List goals in order of proposal."""
        with self._ledger() as ledger:
            return ledger.goals(looking.known_model(self._settings, model) if model is not None else None)

    def goal(self, name: str) -> GoalStory:
        """Tell how a goal stands, by its id or whole digest."""
        with self._ledger() as ledger:
            return goal_story(ledger, named(ledger.goals(), name))

    def claims(self, model: str | None) -> list[Claim]:
        """Say what incidents have taught."""
        models = None if model is None else (looking.known_model(self._settings, model),)
        with self._ledger() as ledger:
            return lessons_of(self._settings, ledger, models)

    def playbooks(self, model: str | None) -> list[Playbook]:
        """List playbooks, those that changed last at the end."""
        with self._ledger() as ledger:
            return ledger.playbooks(looking.known_model(self._settings, model) if model is not None else None)

    def audit(self, only: Only, after: int, limit: int) -> list[AuditRecord]:
        """Read audit records in order."""
        with self._ledger() as ledger:
            return ledger.trail(after=after, limit=min(limit, auditing.MOST_SHOWN), only=only)

    def chain(self) -> Iterator[AuditRecord]:
        """Give the whole audit in order, as it stands."""
        with self._ledger() as ledger, ledger.chain() as records:
            yield from records

    def verify(self, anchor: str | None) -> Verified:
        """Look for an altered audit record; its seals are checked with the config's key.

        Raises:
            ConfigError: the key can't be read.
        """
        with looking.reading(self._settings, self._settings.audit_key()) as ledger:
            return auditing.verified(ledger, anchor)

    def order(self, asked: Asked) -> str:
        """Say that nobody is there to take orders.

        Raises:
            BadInputError: there is no such model either.
            UnreachableError: always otherwise.
        """
        looking.known_model(self._settings, asked.model)
        raise _alone(self._settings)

    def tokens(self) -> list[TokenLine]:
        """Say that nobody is there who believes any token.

        Raises:
            UnreachableError: always.
        """
        raise _alone(self._settings)

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        with looking.reading(self._settings) as ledger:
            yield ledger


def reached(config: Path, url: str | None, token_file: Path | None) -> Source:
    """Return where answers come from: the daemon at a URL, the one that runs with the config's `data_dir`, or its ledger.

    Raises:
        ConfigError: the config can't be used, or the token's file can't; with a URL no config is read.
        BadInputError: the URL can't be used.
    """
    if url is not None:
        return FromDaemon(Caller(url, _token(token_file, None)), None)
    settings = load_config(config).settings
    caller = _running(settings, token_file)
    return FromLedger(settings) if caller is None else FromDaemon(caller, settings)


def caller_of(config: Path, url: str | None, token_file: Path | None) -> Caller:
    """Return the daemon at a URL, or the one that runs with the config's `data_dir`.

    Raises:
        UnreachableError: none runs.
        ConfigError: the config can't be used, or the token's file can't; with a URL no config is read.
        BadInputError: the URL can't be used.
    """
    if url is not None:
        return Caller(url, _token(token_file, None))
    settings = load_config(config).settings
    caller = _running(settings, token_file)
    if caller is None:
        raise _alone(settings)
    return caller


def _running(settings: DaemonSettings, token_file: Path | None) -> Caller | None:
    address = read_address(settings.data_dir)
    return None if address is None else Caller(address, _token(token_file, settings))


def _alone(settings: DaemonSettings) -> UnreachableError:
    return UnreachableError(f"no daemon runs with {settings.data_dir}: start `driftwake up` first, or name one: --url")


def _token(file: Path | None, settings: DaemonSettings | None) -> str:
    """Find the caller's token: in the file that is named, the environment, or what the daemon made for this machine."""
    if file is not None:
        return read_secret(file)
    given = environment().get(VARIABLE, "").strip()
    if given:
        if not is_token(given):
            raise DaemonError(f"{VARIABLE} holds no token; `driftwake token new` makes one")
        return given
    local = None if settings is None else settings.folder("keys") / LOCAL_FILE
    if local is None or not local.exists():
        raise DaemonError(f"the daemon wants a token: name the file of yours, --token-file, or put it into {VARIABLE}")
    return read_secret(local)
