"""How a model's champion stands on the goals that people have approved: measured once for each new goal, and every week.

It is the comparison of the champion with itself on what it answered lately, so nothing but the skill that judges measures goals.
The first such measurement after an approval is what a goal to keep or gain some points is told from. It only looks: whatever
comes of it, nothing is decided.
"""

from __future__ import annotations

from daemon.deploying.swap import Deploying
from daemon.errors import RunFailedError
from daemon.executing.stage import Executing
from daemon.goals.in_force import InForce, argument_of
from daemon.goals.reached import COMPARES, subject_of
from daemon.judging.config import JudgingConfig
from daemon.ledger.ids import short_digest
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import PlanStep
from daemon.places import Places
from streams.contracts.records import CHAMPION
from streams.runtime.logging import Log

log = Log("daemon.standing")


class Standing:
    """Has one model's champion measured.

    Args:
        ledger: what was measured, and which goals there are.
        places: where the skills find the lake and the registry.
        config: how often, and on how much time's outcomes.
        executing: carries it out.
        deploying: knows the champion, and how far the lake is.
    """

    def __init__(self, ledger: Ledger, places: Places, config: JudgingConfig, executing: Executing, deploying: Deploying) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config
        self._executing = executing
        self._deploying = deploying
        self._goals = InForce(ledger, places)

    async def follow(self, now_ms: int) -> None:
        """Measure what hasn't been measured: every goal with every champion, again in every stretch of `goals_every`."""
        question = self.question(await self._deploying.champion(), now_ms)
        if question is None or not await self._deploying.archived(self._places.until_ms(now_ms)):
            return
        try:
            await self._executing.ask(subject_of(self._places.model), question, now_ms)
        except RunFailedError as error:
            log.warning("GoalsUnmeasured", model=self._places.model, failure=error.failure)

    def question(self, champion: str, now_ms: int) -> PlanStep | None:
        """Return the measurement that is due, None when none is.

        Its key says which goals, which champion and which stretch of time it is for, so it is done once, however often the
        daemon dies.
        """
        until_ms = self._places.until_ms(now_ms)
        since_ms = max(0, until_ms - self._config.goals_span.ms)
        goals = self._goals.during(since_ms, until_ms)
        if not goals:
            return None
        stretch = until_ms // self._config.goals_every.ms
        key = f"goals_{stretch}_{short_digest([champion, [one.id for one in goals]])}"
        step = self._ledger.step(subject_of(self._places.model), key)
        if step is not None and step.state in {"done", "failed"}:
            return None
        live = {"since_ms": since_ms, "until_ms": until_ms, "champion_slot": CHAMPION, "challenger_slot": CHAMPION}
        arguments = self._places.arguments(champion) | argument_of(self._goals.with_baselines(goals)) | {
            "challenger": champion, "sealed": None, "live": live, "seed": self._config.seed,
        }  # fmt: skip
        return PlanStep(key=key, skill=COMPARES, arguments=arguments)
