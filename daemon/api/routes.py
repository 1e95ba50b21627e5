"""The API's routes: what can be asked and told, each with the role that it takes.

All is under `/v1`. What comes back are the structs that the command line shows (msgspec, JSON), a page at a time where there may
be many.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from daemon.access.entries import TokenEntry
from daemon.access.roles import Permission, Role, may, permission_of
from daemon.access.tokens import Identity, Tokens
from daemon.api.commands import check_goal, command_of, read_order
from daemon.api.guard import HEALTH, IDENTITY
from daemon.api.problems import CONTENT_TYPE, Problem, body_of
from daemon.api.reading import ReadingRoom
from daemon.api.wire import CommandFate, Ordered, Page, TokenLine
from daemon.commands.auditing import verified
from daemon.commands.deciding import Again, decide_again
from daemon.commands.deployed import SlotsStatus
from daemon.commands.errors import BadInputError
from daemon.commands.explaining import story_of
from daemon.commands.looking import known_model, matching, status_of
from daemon.commands.remembering import lessons_of
from daemon.commands.standing import GoalStory, goal_story, named
from daemon.errors import DaemonError
from daemon.goals.vocabulary import Vocabulary
from daemon.ledger.audit import Only
from daemon.ledger.inbox import Order
from daemon.ledger.ledger import Ledger
from daemon.ledger.pages import Cut
from daemon.ledger.records import GoalState, Incident, State
from daemon.settings import DaemonSettings
from streams.contracts.errors import ContractError, StreamsError, TransportError
from streams.contracts.records import Command
from streams.runtime.clock import WallClock

MOST_ITEMS: Final = 1_000
MOST_ANSWER_BYTES: Final = 16 << 20
_LARGEST: Final = 2**53 - 1
_PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS)]
Number = Annotated[int, Query(ge=0, le=_LARGEST)]
Text = Annotated[str | None, Query(min_length=1, max_length=200, pattern=_PLAIN)]
Moment = Annotated[int | None, Query(ge=-_LARGEST, le=_LARGEST)]
Take = Callable[[Command, Role], bool]


class Desk(NamedTuple):
    """What the routes work with.

    `take` takes a command in, with what who gave it may; `slots` reads what is deployed for a model.
    """

    settings: DaemonSettings
    room: ReadingRoom
    tokens: Tokens
    wall: WallClock
    take: Take
    slots: Callable[[str], Awaitable[SlotsStatus]]


async def _caller(request: Request) -> Identity:
    who: Identity = request.scope[IDENTITY]
    _demand(who, "read")
    return who


Caller = Annotated[Identity, Depends(_caller)]


async def _only(
    *,
    subject: Text = None,
    incident: Text = None,
    model: Text = None,
    actor: Text = None,
    kind: Text = None,
    since_ms: Moment = None,
    until_ms: Moment = None,
) -> Only:
    return Only(subject, incident, model, actor, kind, since_ms, until_ms)


Filter = Annotated[Only, Depends(_only)]


class Routes:
    """All that can be called."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._one_by_one = asyncio.Lock()  # what reads everything: the whole audit, two topics

    def application(self) -> FastAPI:
        """Return the application."""
        made = FastAPI(
            title="driftwake", version="1", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False
        )
        for path, route in self._gets().items():
            made.add_api_route(path, route, methods=["GET"], response_class=Response)
        made.add_api_route("/v1/commands", self.order, methods=["POST"], status_code=202, response_class=Response)
        for kind in (HTTPException, RequestValidationError, DaemonError, StreamsError, Exception):
            made.add_exception_handler(kind, _answer_problem)
        return made

    def _gets(self) -> Mapping[str, Callable[..., Awaitable[Response]]]:
        return {
            HEALTH: self.health,
            "/v1/status": self.status,
            "/v1/models/{model}/slots": self.slots,
            "/v1/incidents": self.incidents,
            "/v1/incidents/{incident}": self.incident,
            "/v1/incidents/{incident}/decision": self.decision,
            "/v1/plans": self.plans,
            "/v1/plans/{digest}": self.plan,
            "/v1/experiments": self.experiments,
            "/v1/lessons": self.lessons,
            "/v1/claims": self.claims,
            "/v1/playbooks": self.playbooks,
            "/v1/goals": self.goals,
            "/v1/goals/{goal}": self.goal,
            "/v1/audit": self.audit,
            "/v1/audit/links": self.links,
            "/v1/audit/verify": self.verify,
            "/v1/commands": self.commands,
            "/v1/commands/{command}": self.command,
            "/v1/tokens": self.tokens,
        }

    async def health(self) -> Response:
        """Say that the daemon answers; this alone takes no token."""
        return _told({"status": "ok"})

    async def status(self, who: Caller) -> Response:
        """Say how every model stands."""
        found = await self._desk.room.ask(lambda ledger: status_of(self._desk.settings, ledger))
        models = tuple(one for one in found.models if who.sees(one.model))
        return _told(msgspec.structs.replace(found, models=models))

    async def slots(self, who: Caller, model: str) -> Response:
        """Say what is deployed for a model, and which partitions haven't loaded it yet."""
        self._scope(who, model)
        async with self._one_by_one:
            return _told(await self._desk.slots(model))

    async def incidents(
        self,
        who: Caller,
        *,
        model: Text = None,
        state: State | None = None,
        only_open: Annotated[bool, Query(alias="open")] = False,
        after: Text = None,
        limit: Limit = 100,
    ) -> Response:
        """List incidents, oldest first."""
        cut = Cut(self._scope(who, model), after, limit)
        found = await self._desk.room.ask(lambda ledger: ledger.incident_page(cut, state, only_open=only_open))
        return _page(found, limit, lambda one: one.id)

    async def incident(self, who: Caller, incident: str) -> Response:
        """Tell an incident from its first event to its lesson; its id, or a part that only one has."""
        return _told(await self._desk.room.ask(lambda ledger: story_of(ledger, _one_of(ledger, who, incident))))

    async def decision(self, who: Caller, incident: str, planner: Text = None) -> Response:
        """Decide again on what was known when an incident was planned, by its model's planner or another; nothing is written."""

        def again(ledger: Ledger) -> Again:
            return decide_again(self._desk.settings, ledger, _one_of(ledger, who, incident), planner)

        return _told(await self._desk.room.ask(again))

    async def plans(
        self, who: Caller, *, model: Text = None, state: State | None = None, after: Text = None, limit: Limit = 100
    ) -> Response:
        """List plans, oldest first; `state` is that of their incidents."""
        cut = Cut(self._scope(who, model), after, limit)
        found = await self._desk.room.ask(lambda ledger: ledger.plan_page(cut, state=state))
        return _page(found, limit, lambda one: one.plan.incident)

    async def plan(self, who: Caller, digest: str) -> Response:
        """Show one plan and what people said of it."""
        found = await self._desk.room.ask(lambda ledger: ledger.plan_page(Cut(who.models), digest))
        if not found:
            raise Problem(HTTPStatus.NOT_FOUND, "no plan of this digest; `/v1/plans` lists them")
        return _told(found[0])

    async def experiments(self, who: Caller, *, model: Text = None, after: Number = 0, limit: Limit = 100) -> Response:
        """List what was tried, in order of beginning."""
        cut = Cut(self._scope(who, model), after, limit)
        found = await self._desk.room.ask(lambda ledger: ledger.experiment_page(cut))
        return _page(found, limit, lambda one: one.number)

    async def lessons(self, who: Caller, *, model: Text = None, after: Text = None, limit: Limit = 100) -> Response:
        """List what was learnt, oldest incidents first."""
        cut = Cut(self._scope(who, model), after, limit)
        found = await self._desk.room.ask(lambda ledger: ledger.lesson_page(cut))
        return _page(found, limit, lambda one: one.incident)

    async def claims(self, who: Caller, *, model: Text = None) -> Response:
        """Say which actions have helped against which causes, and how sure that is."""
        models = self._scope(who, model)
        return _told(await self._desk.room.ask(lambda ledger: lessons_of(self._desk.settings, ledger, models)))

    async def playbooks(self, who: Caller, *, model: Text = None) -> Response:
        """List playbooks, those that changed last at the end."""
        models = self._scope(who, model)
        found = await self._desk.room.ask(lambda ledger: ledger.playbooks())
        return _told([one for one in found if models is None or one.recipe.model in models])

    async def goals(
        self, who: Caller, *, model: Text = None, state: GoalState | None = None, after: Text = None, limit: Limit = 100
    ) -> Response:
        """List goals that people asked for, oldest first."""
        cut = Cut(self._scope(who, model), after, limit)
        found = await self._desk.room.ask(lambda ledger: ledger.goal_page(cut, state))
        return _page(found, limit, lambda one: one.id)

    async def goal(self, who: Caller, goal: str) -> Response:
        """Tell how one goal stands: what was measured of the champion and in the last comparisons; by its id or whole digest."""

        def story(ledger: Ledger) -> GoalStory:
            return goal_story(ledger, named([one for one in ledger.goals() if who.sees(one.model or "")], goal))

        return _told(await self._desk.room.ask(story))

    async def audit(self, who: Caller, only: Filter, *, after: Number = 0, limit: Limit = 100) -> Response:
        """List audit records in order, times are event time, [since, until); of those models too that the config has no more.

        Not of those for who sees only some, as in a ledger that daemons share.
        """
        if only.model is not None and not who.sees(only.model):
            raise Problem(HTTPStatus.FORBIDDEN)
        cut = Cut(who.models, after, limit)
        records = await self._desk.room.ask(lambda ledger: ledger.audit_page(cut, only))
        return _page(records, limit, lambda one: one.number)

    async def links(self, who: Caller, *, after: Number = 0, limit: Limit = 100) -> Response:
        """List all audit records as they stand, for who sees all models: a part of the chain proves nothing."""
        if who.models is not None:
            raise Problem(HTTPStatus.FORBIDDEN)
        return _page(await self._desk.room.ask(lambda ledger: ledger.audit_links(after, limit)), limit, lambda one: one.number)

    async def verify(self, who: Caller, anchor: Text = None) -> Response:
        """Find the first audit record that isn't as it was written; the whole chain is read, of all models."""
        async with self._one_by_one:
            return _told(await self._desk.room.ask(lambda ledger: verified(ledger, anchor)))

    async def commands(self, who: Caller, *, model: Text = None, after: Number = 0, limit: Limit = 100) -> Response:
        """List commands in order of arrival, and what became of them."""
        cut = Cut(self._scope(who, model), after, limit)
        found = await self._desk.room.ask(lambda ledger: ledger.order_page(cut))
        return _page([_fate(order) for order in found], limit, lambda one: one.number)

    async def command(self, who: Caller, command: str) -> Response:
        """Say what became of a command."""
        order = await self._desk.room.ask(lambda ledger: ledger.order(command))
        if order is None or not who.sees(order.command.model):
            raise Problem(HTTPStatus.NOT_FOUND, "no command of this id; `/v1/commands` lists them")
        return _told(_fate(order))

    async def order(self, who: Caller, request: Request) -> Response:
        """Take in a command in the name of who calls; what becomes of it is under the id that comes back."""
        asked = read_order(await request.body())
        _demand(who, permission_of(asked.kind, asked.arguments))
        self._scope(who, asked.model)
        now = self._desk.wall.now()
        if asked.kind == "propose_goal":
            check_goal(asked, self._vocabulary(asked.model, now.date()))
        command = command_of(asked, who, int(now.timestamp() * 1_000))
        self._desk.take(command, who.role)
        return _told(Ordered(id=command.id), HTTPStatus.ACCEPTED, {"location": f"/v1/commands/{command.id}"})

    async def tokens(self, who: Caller) -> Response:
        """List whose tokens are believed; of the tokens themselves nothing is shown."""
        _demand(who, "tokens")
        now = self._desk.wall.now()
        return _told([_token_line(entry, now) for entry in self._desk.tokens.entries()])

    def _vocabulary(self, model: str, today: dt.date) -> Vocabulary:
        models = self._desk.settings.models
        return next(one for one in models if one.name == model).vocabulary(today, tuple(one.name for one in models))

    def _scope(self, who: Identity, model: str | None) -> Collection[str] | None:
        """Return the models that a question is about, None for all.

        Raises:
            Problem: one is none of the caller's.
            BadInputError: there is no such model.
        """
        if model is None:
            return who.models
        if not who.sees(model):
            raise Problem(HTTPStatus.FORBIDDEN)
        return (known_model(self._desk.settings, model),)


def problem_of(error: Exception) -> Problem:
    """Return how an error is told to a caller; what nobody expected is told as a defect, without a word of it."""
    match error:
        case Problem():
            return error
        case BadInputError() | ContractError():
            is_missing = isinstance(error, BadInputError)
            return Problem(HTTPStatus.NOT_FOUND if is_missing else HTTPStatus.BAD_REQUEST, str(error))
        case RequestValidationError():
            details = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
            return Problem(HTTPStatus.BAD_REQUEST, "; ".join(details))
        case HTTPException():
            return Problem(HTTPStatus(error.status_code), _WHAT_TO_DO.get(error.status_code, ""), error.headers)
        case DaemonError() | StreamsError():
            is_away = isinstance(error, TransportError)
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE if is_away else HTTPStatus.CONFLICT, str(error))
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect; the daemon's log has it as CallFailed")


_WHAT_TO_DO: Final = {
    404: "there is nothing here; /v1/openapi.json lists what there is",
    405: "not with this method; /v1/openapi.json lists what there is",
}


async def _answer_problem(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    return Response(body_of(problem), int(problem.status), problem.headers, CONTENT_TYPE)


def _one_of(ledger: Ledger, who: Identity, name: str) -> Incident:
    """Find an incident that is the caller's business, by its id or a part that only one has.

    Raises:
        BadInputError: there is none, or there are several.
    """
    return matching([one for one in ledger.incidents() if who.sees(one.model)], name)


def _demand(who: Identity, permission: Permission) -> None:
    if not may(who.role, permission):
        raise Problem(HTTPStatus.FORBIDDEN)


def _told(content: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    body = msgspec.json.encode(content)
    if len(body) > MOST_ANSWER_BYTES:
        said = f"the answer has {len(body)} bytes, and at most {MOST_ANSWER_BYTES} are sent: ask for fewer with `limit`"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, said)
    return Response(body, int(status), headers, "application/json")


def _page(items: Sequence[Any], limit: int, place: Callable[[Any], str | int]) -> Response:
    return _told(Page(items=tuple(items), after=place(items[-1]) if len(items) == limit else None))


def _fate(order: Order) -> CommandFate:
    command = order.command
    return CommandFate(
        number=order.number,
        id=command.id,
        model=command.model,
        kind=command.kind,
        by=command.by,
        role=order.role,
        arguments=command.arguments,
        state=order.state,
        reason=order.reason,
        applied_ms=order.applied_ms,
    )


def _token_line(entry: TokenEntry, now: dt.datetime) -> TokenLine:
    return TokenLine(
        name=entry.name,
        role=entry.role,
        models=entry.models,
        expires=None if entry.expires is None else entry.expires.isoformat(),
        is_void=entry.expires is not None and now >= entry.expires,
    )
