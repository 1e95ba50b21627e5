"""One model's goals: proposed by whom it may concern, approved by somebody else, by digest; retired when they are over.

An approved goal to hold or improve a metric is asked of every comparison from the next one on (`in_force.py`), is judged by the
gate `keeps_goals`, and shown with what was measured (`driftwake goals show`). One to predict something is kept and shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from daemon.errors import GoalRefusedError
from daemon.goals.base import NotUnderstood, checked
from daemon.goals.in_force import MOST_GOALS
from daemon.goals.objective import Objective, read, written
from daemon.goals.tokens import MOST_CHARACTERS
from daemon.goals.vocabulary import Vocabulary
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Goal
from streams.contracts.errors import ContractError
from streams.contracts.records import Command
from streams.runtime.text import cleaned


class Keeping:
    """Applies commands about goals.

    Args:
        ledger: where goals are kept.
        vocabulary: what is declared of the model, given the day.
    """

    def __init__(self, ledger: Ledger, vocabulary: Callable[[dt.date], Vocabulary]) -> None:
        self._ledger = ledger
        self._vocabulary = vocabulary

    def apply(self, command: Command, now_ms: int) -> None:
        """Do what a command says of a goal.

        Raises:
            GoalRefusedError: it can't be done; the message says why.
        """
        if command.kind == "propose_goal":
            self._propose(command, now_ms)
        elif command.kind == "approve_goal":
            self._approve(command, now_ms)
        else:
            self._ledger.retire_goal(command, self._find(command, "proposed", "approved"), now_ms)

    def _propose(self, command: Command, now_ms: int) -> None:
        objective = self._checked(command.arguments.get("objective"), now_ms)
        if command.arguments.get("digest") != objective.digest:
            raise GoalRefusedError("the digest isn't that of the objective")
        for goal in self._ledger.goals(command.model):
            if goal.digest == objective.digest and goal.state != "retired":
                raise GoalRefusedError(f"this goal is {goal.state} already, as {goal.id}")
        sentence = cleaned(str(command.arguments.get("sentence", "")), MOST_CHARACTERS)
        self._ledger.propose_goal(command, written(objective), sentence, now_ms)

    def _approve(self, command: Command, now_ms: int) -> None:
        goal = self._find(command, "proposed")
        if command.by == goal.proposed_by:
            raise GoalRefusedError("who asked for a goal can't approve it")
        self._checked(goal.objective, now_ms)
        if len(self._ledger.goals(command.model, "approved")) >= MOST_GOALS:
            raise GoalRefusedError(f"{MOST_GOALS} goals are approved already; retire one that is over or no longer wanted")
        self._ledger.approve_goal(command, goal, now_ms)

    def _find(self, command: Command, *states: str) -> Goal:
        digest = command.arguments.get("digest")
        for goal in self._ledger.goals(command.model):
            if goal.digest == digest and goal.state in states:
                return goal
        raise GoalRefusedError(f"no goal of that digest is {' or '.join(states)}")

    def _checked(self, values: object, now_ms: int) -> Objective:
        """Read an objective and hold it against what is declared now: the config may have changed since it was compiled."""
        today = dt.datetime.fromtimestamp(now_ms / 1_000, dt.UTC).date()
        try:
            objective = checked(read(values), self._vocabulary(today))
        except ContractError as error:
            raise GoalRefusedError(str(error)) from None
        if isinstance(objective, NotUnderstood):
            raise GoalRefusedError("; ".join(finding.text for finding in objective.findings))
        return objective
