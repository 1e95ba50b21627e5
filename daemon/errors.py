"""Errors of the control plane.

DaemonError
├── LedgerError          the ledger can't be opened, or was asked for what can't be: stop, the operator must look
│   └── IllegalMoveError the incident isn't where the caller thought, or no such transition exists: a defect
├── BudgetSpentError     expected: a call of a language model has no room in its budget; the policy planner decides
├── NoProposalError      expected: a planner has nothing to propose; likewise (`daemon/planners/base.py`)
├── PlanRefusedError     expected: a plan makes no sense or breaks a rule; the incident closes with the reason
├── GoalRefusedError     expected: a goal makes no sense for its model, or its proposer would approve it
├── PlaybookRefusedError expected: a playbook isn't there, has nothing to approve, or nobody may approve it who wants to
├── RunFailedError       a step failed for good; the incident closes as failed, with the class of the failure
│   └── RunLostError     the process died without an answer; it is run again once
├── SwapFailedError      the data plane didn't do what a deployment says in time: roll back or try again later
├── RegistryError        the model registry said no; noted in the audit, and the loop goes on
└── LogRefusedError      a recorded log can't be replayed; nothing was started
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class DaemonError(Exception):
    """Base of all errors that the control plane raises on purpose."""


class LedgerError(DaemonError):
    """The ledger can't be opened or was asked for what can't be."""


class IllegalMoveError(LedgerError):
    """A transition that doesn't exist, or from a state in which the incident isn't."""


class BudgetSpentError(DaemonError):
    """What a call of a language model may cost isn't left in its budget."""


class PlanRefusedError(DaemonError):
    """A plan makes no sense or breaks a rule."""


class GoalRefusedError(DaemonError):
    """A goal makes no sense for its model, isn't there, or can't be approved by who wants to."""


class PlaybookRefusedError(DaemonError):
    """A playbook isn't there, is in no state for what is asked, or can't be approved by who wants to."""


class RunFailedError(DaemonError):
    """A step failed for good.

    Args:
        failure: the class of the failure, a word from a closed set (`out_of_memory`, `no_data`, `deadline`, ...).
        message: what happened, for the log; never shown as markup.
    """

    def __init__(self, failure: str, message: str) -> None:
        super().__init__(f"{failure}: {message}")
        self.failure = failure
        self.message = message


class RunLostError(RunFailedError):
    """A step's process died without an answer."""


class SwapFailedError(DaemonError):
    """The data plane refused a bundle or didn't follow a deployment in time."""


class RegistryError(DaemonError):
    """The model registry could not be reached or said no."""


class LogRefusedError(DaemonError):
    """A recorded log can't be replayed. `findings` say everything that is wrong with it."""

    def __init__(self, file: Path, findings: Sequence[str]) -> None:
        super().__init__(f"{file} can't be replayed: {'; '.join(findings)}")
        self.file = file
        self.findings = tuple(findings)
