"""Commands of people and pipelines: each applied once by its id, or rejected with the reason.

Who gave it must be allowed to, however it came in: the role that was proven when it did is asked here again.
"""

from __future__ import annotations

import re

from daemon.access.roles import objection, permission_of
from daemon.deploying.slots import OURS
from daemon.deploying.swap import Deploying
from daemon.errors import GoalRefusedError, PlanRefusedError, PlaybookRefusedError, SwapFailedError
from daemon.goals.keeping import Keeping
from daemon.ledger.inbox import Order
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Move
from daemon.places import Places
from daemon.planners.base import ASKED
from daemon.planning.stage import Planning
from daemon.reflecting.reflect import reflect
from daemon.triaging.triage import CHALLENGE, REQUEST, TRAINING
from streams.contracts.records import CANARY, CHAMPION, Command
from streams.runtime.logging import Log
from streams.runtime.text import safe

log = Log("daemon.orders")

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_ABOUT_GOALS = frozenset({"propose_goal", "approve_goal", "retire_goal"})


class Orders:
    """Applies one model's commands in order of arrival.

    Args:
        ledger: where commands wait and are settled.
        places: the registry of bundles.
        planning: knows which plans wait for a person's word.
        deploying: the only writer of deployments.
        goals: what people ask for.
        is_observed: whether the model is served elsewhere.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        planning: Planning,
        deploying: Deploying,
        *,
        goals: Keeping,
        is_observed: bool = False,
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._planning = planning
        self._deploying = deploying
        self._goals = goals
        self._is_observed = is_observed

    async def apply(self, now_ms: int) -> None:
        """Apply what waits."""
        for order in self._ledger.commands(self._places.model, "new"):
            command = order.command
            refused = objection_to(order)
            if refused:
                self._reject(command, refused, now_ms)
                continue
            try:
                await self._apply(order, now_ms)
            except (PlanRefusedError, SwapFailedError, GoalRefusedError, PlaybookRefusedError) as error:
                self._reject(command, str(error), now_ms)
            else:
                log.info("CommandApplied", command=safe(command.id), kind=command.kind, model=command.model)

    async def _apply(self, order: Order, now_ms: int) -> None:
        command = order.command
        match command.kind:
            case "challenge":
                await self._challenge(command, order.role, now_ms)
            case "propose_plan":
                await self._propose_plan(command, order.role, now_ms)
            case "shadow":
                await self._shadow(command, now_ms)
            case "canary":
                await self._canary(command, now_ms)
            case "rollback":
                await self._roll_back(command, now_ms)
            case "freeze" | "unfreeze":
                self._ledger.settle_command(command, "applied", f"{command.kind} by {command.by}", now_ms)
            case "approve" | "refuse":
                self._decide(order, now_ms)
            case "propose_goal" | "approve_goal" | "retire_goal":
                self._goals.apply(command, now_ms)
            case "approve_playbook" | "retire_playbook":
                self._planning.playbooks.apply(command, now_ms)

    async def _challenge(self, command: Command, role: str, now_ms: int) -> None:
        """Open an incident in which the submitted bundle is judged, or forced past the judge; nothing is trained.

        Why it is forced stands in the audit, with the command.
        """
        digest = str(command.arguments.get("digest", ""))
        self._places.manifest(digest)
        champion = await self._deploying.champion()
        if digest == champion:
            raise PlanRefusedError("this bundle is the champion already")
        forced = "force" in command.arguments
        if forced and not str(command.arguments["force"]).strip():
            raise PlanRefusedError("who forces a bundle past the judge must say why")
        details = {"forced": True} if forced else {}
        self._ledger.open_for_command(command, CHALLENGE, champion, digest, now_ms, role=role, details=details)

    async def _propose_plan(self, command: Command, role: str, now_ms: int) -> None:
        """Open an incident in which the model is diagnosed and planned for, because somebody asks for it; one at a time.

        Which action is asked for, if any, is weighed like another planner's proposal, and whatever comes of it waits for
        somebody else's approval.
        """
        action = command.arguments.get("action")
        if action is not None and (not isinstance(action, str) or action not in ASKED):
            raise PlanRefusedError(f"what can be asked for is {', '.join(sorted(ASKED))}, or nothing by name")
        under_way = [one.id for one in self._ledger.incidents(command.model, only_open=True) if one.cause in TRAINING]
        if under_way:
            raise PlanRefusedError(f"{under_way[0]} is under way: a model has one incident at a time that may train it")
        champion = await self._deploying.champion()
        details = {"asked": action or ""}
        self._ledger.open_for_command(command, REQUEST, champion, "", now_ms, role=role, details=details)

    async def _shadow(self, command: Command, now_ms: int) -> None:
        name, digest = str(command.arguments.get("name", "")), command.arguments.get("digest")
        if name in OURS | {CHAMPION, CANARY} or _NAME.fullmatch(name) is None:
            raise PlanRefusedError("a shadow's name is lower case and none of champion, canary, challenger, previous")
        if digest is not None:
            self._places.manifest(str(digest))
            await self._deploying.prepare(_subject(command), str(digest), now_ms)
        wanted = str(digest) if digest is not None else None
        step = await self._deploying.put_shadow(_subject(command), name, wanted, now_ms, now_ms)
        generation = step.payload["generation"]
        self._ledger.settle_command(
            command, "applied", f"shadow {name} as generation {generation}", now_ms, generation=generation
        )

    async def _canary(self, command: Command, now_ms: int) -> None:
        """Let a bundle answer a share of the requests, unless deployments are frozen; ending that is never refused."""
        digest, weight = command.arguments.get("digest"), 0.0
        if self._is_observed:
            raise PlanRefusedError("the model is served elsewhere: which requests a canary answers is decided there")
        if digest is not None:
            frozen = self._planning.frozen(now_ms)
            if frozen:
                raise PlanRefusedError(frozen)
            weight = _weight(command.arguments.get("weight"))
            self._places.manifest(str(digest))
            if digest == await self._deploying.champion():
                raise PlanRefusedError("this bundle is the champion already")
            await self._deploying.prepare(_subject(command), str(digest), now_ms)
        wanted = str(digest) if digest is not None else None
        step = await self._deploying.put_canary(_subject(command), wanted, weight, now_ms)
        generation = step.payload["generation"]
        said = f"canary for {weight:.3g} of the requests" if wanted is not None else "no canary"
        self._ledger.settle_command(command, "applied", f"{said} as generation {generation}", now_ms, generation=generation)

    async def _roll_back(self, command: Command, now_ms: int) -> None:
        """Bring the previous champion back, and end the probation of the one it replaces."""
        said = await self._deploying.roll_back(_subject(command), now_ms)
        trial = [one for one in self._ledger.incidents(command.model, only_open=True) if one.state == "probation"]
        if not trial:
            self._ledger.settle_command(command, "applied", said, now_ms)
            return
        move = Move(to="rolled_back", reason=said, rule=f"command_{command.kind}")
        self._ledger.move(trial[0], reflect(trial[0], move, now_ms), now_ms, command)

    def _decide(self, order: Order, now_ms: int) -> None:
        refused = self._planning.approvals.objection_to(order)
        if refused:
            self._reject(order.command, refused, now_ms)
        else:
            self._planning.approvals.accept(order, now_ms)

    def _reject(self, command: Command, reason: str, now_ms: int) -> None:
        self._ledger.settle_command(command, "rejected", reason, now_ms)
        # What is wrong with a goal may be told in its own words: the audit, which has the whole command, has the reason too.
        told = {} if command.kind in _ABOUT_GOALS else {"reason": reason}
        log.warning("CommandRefused", command=safe(command.id), kind=command.kind, model=command.model, **told)


def objection_to(order: Order) -> str:
    """Return why an order is refused whatever it says, the empty string when who gave it may give it."""
    return objection(order.role, permission_of(order.command.kind, order.command.arguments))


def _weight(given: object) -> float:
    if not isinstance(given, int | float) or not 0 < given <= 1:
        raise PlanRefusedError("a canary's weight is above 0 and at most 1")
    return float(given)


def _subject(command: Command) -> str:
    """Name a command's steps apart from incidents' steps: ids of commands come from outside and may be anything."""
    return f"command/{command.id}"
