"""Executing: steps are carried out by skills in child processes, once to effect however often the daemon dies."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from daemon.errors import RunFailedError, RunLostError
from daemon.executing import child
from daemon.executing.child import Folder, end_orphan, read_answer
from daemon.executing.config import ExecutingConfig
from daemon.executing.references import resolve
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Plan, PlanStep, Step
from streams.runtime.logging import Log

log = Log("daemon.executing.stage")

# The failure that says: ask again when there is more to look at.
_NO_DATA = "no_data"
Run = Callable[[str, Folder], Awaitable[dict[str, Any]]]
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class Executing:
    """The hands of one model's incidents.

    Args:
        model: whose incidents.
        ledger: where steps are leased, reserved and finished.
        config: limits of the child processes.
        owner: name of this daemon run, different after a restart; it holds the leases.
        run: how a skill is run on the question in a folder, by default as a process of its own.
    """

    def __init__(self, model: str, ledger: Ledger, config: ExecutingConfig, owner: str, *, run: Run | None = None) -> None:
        self._model = model
        self._ledger = ledger
        self._config = config
        self._owner = owner
        self._run = run or partial(child.run, config=config)

    async def carry_out(self, plan: Plan, now_ms: int) -> dict[str, dict[str, Any]]:
        """Walk a plan's steps in order; finished ones are not repeated. Return the results by step key.

        Raises:
            RunFailedError: a step failed for good.
        """
        results: dict[str, dict[str, Any]] = {}
        for step in plan.steps:
            results[step.key] = await self.do(plan.incident, step, now_ms, results)
        return results

    async def ask(self, subject: str, question: PlanStep, now_ms: int) -> dict[str, Any]:
        """Do a step that only measures; the result is empty when there is too little data to measure.

        Nothing measured makes a verdict inconclusive, and a diagnosis wait for labels.

        Raises:
            RunFailedError: it failed for another reason.
        """
        try:
            return await self.do(subject, question, now_ms)
        except RunFailedError as error:
            if error.failure != _NO_DATA:
                raise
            return {}

    async def do(
        self, subject: str, wanted: PlanStep, now_ms: int, results: dict[str, dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Do one step, or take over what an earlier run of the daemon began.

        Raises:
            RunFailedError: it failed for good.
        """
        step = self._ledger.step(subject, wanted.key)
        if step is not None and step.state == "done":
            return step.result
        if step is not None and step.state == "failed":
            raise RunFailedError(step.failure, step.message)
        if step is not None and step.state == "reserved":
            finished = self._take_over(step, now_ms)
            if finished is not None:
                return finished.result
        arguments = resolve(wanted.arguments, results or {})
        for lost in range(self._config.attempts):
            try:
                return await self._attempt(subject, wanted, arguments, now_ms)
            except RunLostError as error:
                log.warning("StepRepaired", step=wanted.key, skill=wanted.skill, failure=error.failure, attempt=lost + 1)
                last = error
        self._fail(subject, wanted, last, now_ms)
        raise last

    async def _attempt(self, subject: str, wanted: PlanStep, arguments: dict[str, Any], now_ms: int) -> dict[str, Any]:
        until = self._ledger.wall_ms() + self._config.deadline.ms
        step = self._ledger.lease(
            self._model,
            subject,
            wanted.key,
            kind="skill",
            skill=wanted.skill,
            owner=self._owner,
            until_wall_ms=until,
            now_ms=now_ms,
        )
        folder = self._folder(step)
        folder.prepare(arguments)
        step = self._ledger.reserve(step, {"arguments": arguments, "folder": str(folder.path)}, now_ms)
        log.info("StepStarted", step=step.id, skill=wanted.skill, attempt=step.attempt)
        try:
            result = await self._run(wanted.skill, folder)
        except RunLostError:
            raise
        except RunFailedError as error:
            self._ledger.fail(step, error.failure, error.message, now_ms)
            raise
        self._ledger.finish(step, result, now_ms)
        log.info("StepFinished", step=step.id, skill=wanted.skill)
        return result

    def _take_over(self, step: Step, now_ms: int) -> Step | None:
        """Look into the folder of a run that outlived its daemon, or didn't."""
        folder = self._folder(step)
        end_orphan(folder, self._config.skills_module)
        try:
            result = read_answer(folder)
        except RunFailedError as error:
            self._ledger.fail(step, error.failure, error.message, now_ms)
            raise
        return self._ledger.finish(step, result, now_ms) if result is not None else None

    def _fail(self, subject: str, wanted: PlanStep, error: RunFailedError, now_ms: int) -> None:
        step = self._ledger.step(subject, wanted.key)
        if step is not None:
            self._ledger.fail(step, error.failure, error.message, now_ms)

    def _folder(self, step: Step) -> Folder:
        """One folder an attempt, so that nothing of an earlier one can pass for its own."""
        return Folder(self._config.work.absolute() / _UNSAFE.sub("_", step.id) / str(step.attempt))
