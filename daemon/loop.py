"""The loop: event → incident → plan → challenger → verdict → deployment → lesson, for one model.

Each watermark moves every open incident as far as it goes, one durable transition at a time. A transition asks the stages,
which ask the ledger and the world what is done already; so the daemon may die anywhere and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from daemon.access.roles import UNPROVEN, Role
from daemon.deploying.swap import Deploying
from daemon.deploying.world import World
from daemon.errors import PlanRefusedError, RunFailedError, SwapFailedError
from daemon.executing.stage import Executing
from daemon.judging.stage import Judging
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import ENDS, Incident, Move, PlanStep
from daemon.orders import Orders
from daemon.places import Places
from daemon.planning.stage import Planning
from daemon.reflecting.reflect import reflect
from daemon.registry.follow import Follow
from daemon.standing import Standing
from daemon.triaging.stage import Triaging
from streams.contracts.events import DriftEvent
from streams.contracts.records import Command
from streams.runtime.clock import EventClock
from streams.runtime.logging import Log

log = Log("daemon.loop")


class Stages(NamedTuple):
    """One model's stages, built in `daemon/app.py`."""

    triaging: Triaging
    planning: Planning
    executing: Executing
    judging: Judging
    deploying: Deploying
    orders: Orders
    registry: Follow
    standing: Standing


class Loop:
    """Drives one model's incidents. Its methods are called by one task at a time."""

    def __init__(self, places: Places, ledger: Ledger, world: World, stages: Stages, clock: EventClock) -> None:
        self._places, self._ledger, self._world, self._clock, self._do = places, ledger, world, clock, stages
        self._ways: dict[str, Callable[[Incident, int], Awaitable[Move | None]]] = {
            "open": self._understand, "diagnosed": self._plan, "planned": self._permit, "awaiting_approval": self._hear,
            "running": self._work, "judged": self._shadow, "shadowing": self._compare, "promoting": self._promote,
            "probation": self._watch,
        }  # fmt: skip

    def on_event(self, event: DriftEvent) -> bool:
        """Take in an event; it counts from the next watermark on. False when it was known."""
        return self._ledger.take_event(event)

    def on_command(self, command: Command, role: Role = UNPROVEN) -> bool:
        """Take in a command, with what who gave it may; it is applied at the next watermark. False when it was known."""
        return self._ledger.take_command(command, self._clock.now_ms, role)

    async def on_watermark(self, now_ms: int) -> None:
        """Do all that can be done at this event time, then report it: a replay's source waits for that."""
        self._clock.advance(now_ms)
        if await self._world.deployment() is not None:
            await self._advance_all(now_ms)
        await self._world.report(now_ms, self._ledger.head())

    async def _advance_all(self, now_ms: int) -> None:
        await self._do.deploying.settle(now_ms)
        await self._do.orders.apply(now_ms)
        self._do.triaging.triage(await self._do.deploying.champion(), now_ms)
        for incident in self._ledger.incidents(self._places.model, only_open=True):
            await self._advance(incident)
        self._do.planning.follow(now_ms)
        await self._do.registry.follow(await self._world.deployment(), now_ms)
        await self._do.standing.follow(now_ms)

    async def _advance(self, incident: Incident) -> None:
        while not incident.is_over:
            now_ms = self._clock.now_ms
            waits = incident.state != "awaiting_approval" and now_ms < (incident.waits_until_ms or 0)
            if waits or (move := await self._next(incident, now_ms)) is None:
                return
            incident = self._ledger.move(incident, move, now_ms)
            log.info("IncidentMoved", incident=incident.id, state=move.to, rule=move.rule, reason=move.reason)

    async def _next(self, incident: Incident, now_ms: int) -> Move | None:
        try:
            move = await self._ways[incident.state](incident, now_ms)
        except (RunFailedError, SwapFailedError, PlanRefusedError) as error:
            rule = f"run_failed: {error.failure}" if isinstance(error, RunFailedError) else type(error).__name__
            move = Move(to="failed", reason=str(error), rule=rule)
        if move is None or move.to not in ENDS:
            return move
        await self._do.deploying.tidy(incident, now_ms)
        return reflect(incident, move, now_ms)

    async def _understand(self, incident: Incident, now_ms: int) -> Move | None:
        if self._do.triaging.needs_no_diagnosis(incident):
            return Move(to="diagnosed", reason="somebody asked for it", rule="command")
        answer = await self._ask(incident, self._do.triaging.question(incident, now_ms), now_ms)
        return None if answer is None else self._do.triaging.understand(answer)

    async def _plan(self, incident: Incident, now_ms: int) -> Move | None:
        return await self._do.planning.decide(incident, await self._do.deploying.champion(), now_ms)

    async def _permit(self, incident: Incident, now_ms: int) -> Move | None:
        return self._do.planning.permit(incident, await self._do.deploying.champion(), now_ms)

    async def _hear(self, incident: Incident, now_ms: int) -> Move | None:
        return self._do.planning.hear(incident, await self._do.deploying.champion(), now_ms)

    async def _work(self, incident: Incident, now_ms: int) -> Move | None:
        plan = self._ledger.plan(incident.plan_digest or "")
        if not plan.steps:
            return await self._do.deploying.begin(plan.action, incident, now_ms)
        if not await self._do.deploying.archived(plan.sealed[1]):
            return None
        results = await self._do.executing.carry_out(plan, now_ms)
        return self._do.judging.weigh_sealed(results, incident.challenger)

    async def _shadow(self, incident: Incident, now_ms: int) -> Move | None:
        return self._do.judging.refusal(incident) or await self._do.deploying.shadow(incident, now_ms)

    async def _compare(self, incident: Incident, now_ms: int) -> Move | None:
        answer = await self._ask(incident, self._do.judging.live_question(incident, now_ms), now_ms)
        return None if answer is None else self._do.judging.weigh_shadow(incident, answer, now_ms)

    async def _promote(self, incident: Incident, now_ms: int) -> Move | None:
        if self._ledger.plan(incident.plan_digest or "").action == "rollback":
            return Move(to="closed", reason=await self._do.deploying.roll_back(incident.id, now_ms), rule="rollback")
        return self._do.planning.may_promote(incident, now_ms) or await self._do.deploying.promote(incident, now_ms)

    async def _watch(self, incident: Incident, now_ms: int) -> Move | None:
        answer = await self._ask(incident, self._do.judging.live_question(incident, now_ms), now_ms)
        move = None if answer is None else self._do.judging.weigh_probation(incident, answer, now_ms)
        if move is not None and move.to == "rolled_back":
            await self._do.deploying.roll_back(incident.id, now_ms)
        return move

    async def _ask(self, incident: Incident, question: PlanStep, now_ms: int) -> dict[str, Any] | None:
        is_there = await self._do.deploying.archived(self._places.until_ms(now_ms))
        return await self._do.executing.ask(incident.id, question, now_ms) if is_there else None
