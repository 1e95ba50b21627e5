"""Orders that come over HTTP: hostile until they have the form of a command. Pure.

The sender is who the token says, never what the body says.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec

from daemon.access.tokens import Identity
from daemon.api.problems import Problem
from daemon.goals.base import NotUnderstood, checked
from daemon.goals.objective import read, written
from daemon.goals.tokens import MOST_CHARACTERS
from daemon.goals.vocabulary import Vocabulary
from daemon.ledger.ids import time_part
from streams.contracts.errors import ContractError
from streams.contracts.records import Command

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
SlotName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]
_SEEN: Final = r"^[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*\Z"
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=_SEEN)]
Weight = Annotated[float, msgspec.Meta(gt=0, le=1)]
Sentence = Annotated[str, msgspec.Meta(max_length=MOST_CHARACTERS, pattern=_SEEN)]


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of a command that takes none."""


class ChallengeArguments(Arguments, frozen=True, kw_only=True):
    """Which bundle is to be judged; with `force`, why it shall serve without that."""

    digest: Digest
    force: Why | None = None


class ShadowArguments(Arguments, frozen=True, kw_only=True):
    """Which slot beside the champion gets which bundle; without one it is emptied."""

    name: SlotName
    digest: Digest | None = None


class CanaryArguments(Arguments, frozen=True, kw_only=True):
    """Which bundle answers which share; without one none does."""

    digest: Digest | None = None
    weight: Weight | None = None


class WordArguments(Arguments, frozen=True, kw_only=True):
    """Which plan is approved or refused."""

    plan_digest: Digest


class ProposePlanArguments(Arguments, frozen=True, kw_only=True):
    """Why a plan is asked for, and which action by name, if any; the names are those of `daemon.planners.base.ASKED`."""

    why: Why
    action: Literal["rollback", "restore_archived", "retrain", "search_features_and_retrain"] | None = None


class ProposeGoalArguments(Arguments, frozen=True, kw_only=True):
    """What is wanted, as `daemon.goals.objective` writes it, its digest, and the words that were compiled into it, if any."""

    objective: dict[str, Any]
    digest: Digest
    sentence: Sentence = ""


class GoalArguments(Arguments, frozen=True, kw_only=True):
    """Which goal is approved or retired, by its objective's digest."""

    digest: Digest


class PlaybookArguments(Arguments, frozen=True, kw_only=True):
    """Which playbook is approved, by its recipe's digest."""

    digest: Digest


class RetirePlaybookArguments(PlaybookArguments, frozen=True, kw_only=True):
    """Which playbook is retired, and why."""

    reason: Why


ARGUMENTS: Final[dict[str, type[Arguments]]] = {
    "challenge": ChallengeArguments,
    "shadow": ShadowArguments,
    "canary": CanaryArguments,
    "rollback": Arguments,
    "freeze": Arguments,
    "unfreeze": Arguments,
    "approve": WordArguments,
    "refuse": WordArguments,
    "propose_plan": ProposePlanArguments,
    "propose_goal": ProposeGoalArguments,
    "approve_goal": GoalArguments,
    "retire_goal": GoalArguments,
    "approve_playbook": PlaybookArguments,
    "retire_playbook": RetirePlaybookArguments,
}


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a call that orders something."""

    kind: str
    model: str
    arguments: dict[str, Any] = {}


def read_order(body: bytes) -> Asked:
    """Read a call's body, with the arguments that its kind takes.

    Raises:
        Problem: it isn't an order; the detail says why.
    """
    try:
        asked = msgspec.json.decode(body, type=Asked)
        wanted = ARGUMENTS.get(asked.kind)
        if wanted is None:
            raise Problem(HTTPStatus.BAD_REQUEST, f"there is no command {asked.kind[:40]!r}; there are: {', '.join(ARGUMENTS)}")
        arguments = msgspec.convert(asked.arguments, wanted)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"not an order: {error}") from None
    return msgspec.structs.replace(asked, arguments=msgspec.to_builtins(_coherent(arguments, asked.model)))


def _coherent(arguments: Arguments, model: str) -> Arguments:
    """Return arguments whose parts fit each other.

    Raises:
        Problem: they don't.
    """
    match arguments:
        case CanaryArguments() if (arguments.digest is None) != (arguments.weight is None):
            raise Problem(HTTPStatus.BAD_REQUEST, "a canary is a digest with a weight; give neither to end the one there is")
        case ProposeGoalArguments():
            return msgspec.structs.replace(arguments, objective=_objective(arguments, model))
    return arguments


def _objective(arguments: ProposeGoalArguments, model: str) -> dict[str, Any]:
    """Return an objective in the one form in which it is written.

    Raises:
        Problem: it is none, another model's, or not what its digest says.
    """
    try:
        objective = read(arguments.objective)
        is_meant = objective.digest == arguments.digest
    except (ContractError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"not a goal: {error}") from None
    if objective.model != model:
        raise Problem(HTTPStatus.BAD_REQUEST, "the goal is for another model than the order")
    if not is_meant:
        raise Problem(HTTPStatus.BAD_REQUEST, "the digest isn't that of the objective")
    return written(objective)


def check_goal(asked: Asked, vocabulary: Vocabulary) -> None:
    """Hold a goal against what is declared of its model, as is done again when it is kept.

    Raises:
        Problem: it makes no sense for the model.
    """
    answer = checked(read(asked.arguments["objective"]), vocabulary)
    if isinstance(answer, NotUnderstood):
        raise Problem(HTTPStatus.BAD_REQUEST, "not a goal: " + "; ".join(finding.text for finding in answer.findings))


def command_of(asked: Asked, who: Identity, wall_ms: int) -> Command:
    """Make the command of an order, in the name of who called."""
    return Command(
        id=f"cmd-{time_part(wall_ms)}-{secrets.token_hex(4)}",
        kind=asked.kind,  # type: ignore[arg-type]  # one of ARGUMENTS
        model=asked.model,
        by=who.name,
        arguments=asked.arguments,
    )
