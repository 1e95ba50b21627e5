"""What every planner must satisfy. Importable, so that planners of other distributions can be checked by their own tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import get_args

from daemon.planners.base import (
    FORCED,
    REPLACES,
    TRAINS,
    Action,
    Archived,
    Cause,
    Change,
    Diagnosis,
    LabelState,
    NoProposalError,
    Performance,
    Planner,
    Proposal,
    Situation,
    WhyNot,
)

_ACTIONS = frozenset(get_args(Action))
_WHY_NOT = frozenset(get_args(WhyNot))
_NOW_MS = 1_700_000_000_000
_CAUSES = (
    "upstream_data_break",
    "harmless_shift",
    "harmful_shift",
    "concept_change",
    "new_segment",
    "label_trouble",
    "a cause nobody knows",
)
_MANY = 500


class PlannerCheckError(AssertionError):
    """A planner breaks the family's contract."""


async def check_planner(planner: Planner, asked: Iterable[Situation] | None = None) -> int:
    """Run all checks on one planner; return in how many situations it had a proposal.

    Args:
        planner: to check. It may have nothing to propose, for a reason of the closed set.
        asked: situations; None stands for all of `situations()`, which are many for a planner that is slow.

    Raises:
        PlannerCheckError: it breaks one; the message says which.
    """
    proposed = 0
    for situation in situations() if asked is None else asked:
        answer = await _answer(planner, situation)
        if isinstance(answer, Proposal):
            proposed += 1
            _check_form(answer)
            _check_sense(answer, situation)
        if await _answer(planner, situation) != answer:
            raise PlannerCheckError(f"the same situation gave two answers: {situation}")
    return proposed


async def _answer(planner: Planner, situation: Situation) -> Proposal | str:
    try:
        return await planner.propose(situation)
    except NoProposalError as error:
        if error.reason not in _WHY_NOT:
            raise PlannerCheckError(f"no proposal, for a reason that isn't one: {error.reason}") from error
        return error.reason


def situations() -> Iterator[Situation]:
    """Situations of every kind: nothing known, much known, each cause, no room, a submitted challenger, a flood."""
    yield Situation(now_ms=_NOW_MS, incident_cause="loss_drift", diagnosis=Diagnosis(), promotions=0, may_promote=True)
    for cause, coverage, recent, may_promote in itertools.product(_CAUSES, (None, 0.1, 0.9), (None, 0.55, 0.8), (True, False)):
        diagnosis = Diagnosis(
            causes=(Cause(cause=cause, probability=0.8), Cause(cause="false_alarm", probability=0.2)),
            label_state=LabelState(coverage=coverage, rows=0 if coverage is None else 5_000),
            performance=Performance(reference=0.75, recent=recent, low=recent, high=recent),
        )
        for waits_left, submitted, can_roll_back in itertools.product((0, 2), (True, False), (True, False)):
            yield Situation(
                now_ms=_NOW_MS, incident_cause="performance", diagnosis=diagnosis, promotions=1, may_promote=may_promote,
                waits_left=waits_left, submitted=submitted, can_roll_back=can_roll_back, evidence=("event-1",),
            )  # fmt: skip
    yield from _changed()
    flood = Diagnosis(
        causes=tuple(Cause(cause=f"cause_{number}", probability=1 / _MANY) for number in range(_MANY)),
        moved=tuple({"column": f"c{number}", "effect": 1.0} for number in range(_MANY)),
    )
    evidence = tuple(f"event-{number}" for number in range(_MANY))
    yield Situation(now_ms=_NOW_MS, incident_cause="x", diagnosis=flood, promotions=_MANY, may_promote=False, evidence=evidence)


def _changed() -> Iterator[Situation]:
    """Situations after a change, with bundles in the archive, frozen or not, tried or not."""
    day_ms = 86_400_000
    for cause, rows, is_frozen, is_tried in itertools.product(_CAUSES, (100, 5_000), (True, False), (True, False)):
        diagnosis = Diagnosis(
            causes=(Cause(cause=cause, probability=0.9),),
            label_state=LabelState(coverage=0.9, rows=9_000, delay_ms_p90=day_ms),
            performance=Performance(reference=0.9, recent=0.5, low=0.48, high=0.52),
            change=Change(since_ms=_NOW_MS - 9 * day_ms, rows=rows),
            archived=(Archived(digest="a" * 64, value=0.1, low=0.05, high=0.15, rows=rows),),
        )
        yield Situation(
            now_ms=_NOW_MS, incident_cause="loss_drift", diagnosis=diagnosis, promotions=0, may_promote=True, waits_left=2,
            wait_ms=9 * day_ms, is_frozen=is_frozen, tried=tuple(sorted(TRAINS)) if is_tried else (),
        )  # fmt: skip


def _check_form(proposal: Proposal) -> None:
    unknown = ({proposal.action} | set(proposal.utilities)) - _ACTIONS
    if unknown:
        raise PlannerCheckError(f"unknown actions: {sorted(unknown)}")
    if not proposal.reasons or not all(reason.text for reason in proposal.reasons):
        raise PlannerCheckError("a proposal needs reasons, and each a text")
    if "no_action" not in proposal.utilities:
        raise PlannerCheckError("doing nothing must be weighed too")
    if not all(utility is None or math.isfinite(utility) for utility in proposal.utilities.values()):
        raise PlannerCheckError("a utility is a finite number, or None for what can't be done")
    unexplained = [
        action for action, utility in proposal.utilities.items() if utility is None and not proposal.excluded.get(action)
    ]
    if unexplained:
        raise PlannerCheckError(f"can't be done, but why: {unexplained}")


def _check_sense(proposal: Proposal, situation: Situation) -> None:
    if proposal.utilities.get(proposal.action) is None:
        raise PlannerCheckError(f"{proposal.action} was chosen, though it can't be done or wasn't weighed")
    if proposal.action in REPLACES:
        _check_replacing(proposal, situation)
    if proposal.action == "wait_for_labels" and situation.waits_left <= 0:
        raise PlannerCheckError("waiting was chosen though no wait is left")
    if proposal.action == FORCED:
        raise PlannerCheckError("only a person may have a bundle serve that wasn't judged")
    if proposal.action == "judge_submitted" and not situation.submitted:
        raise PlannerCheckError("nothing was submitted that could be judged")
    if proposal.action == "rollback" and not situation.can_roll_back:
        raise PlannerCheckError("no earlier champion is known that could come back")


def _check_replacing(proposal: Proposal, situation: Situation) -> None:
    if not situation.may_promote or situation.is_frozen:
        raise PlannerCheckError(f"{proposal.action} was chosen though nothing may be promoted: no guardrail should be needed")
    if proposal.action in situation.tried and proposal.train_since_ms is None:
        raise PlannerCheckError(f"{proposal.action} was tried lately with the same settings, and didn't help")
    if proposal.train_since_ms is not None and proposal.train_since_ms >= situation.now_ms:
        raise PlannerCheckError("there are no rows to learn from in the future")
    known = {one.digest for one in situation.diagnosis.archived}
    if proposal.action == "restore_archived" and (not known or proposal.challenger not in {None, *known}):
        raise PlannerCheckError("the bundle to restore must be one that the diagnosis found in the archive")
