"""The plan as Claude submits it: a form with the proposal's fields, held to its bounds here. Pure.

The API holds an answer to the schema, but `transform_schema` turns bounds into prose, and a mapping would be one that allows no
keys; so the form has lists of names and values, and everything is checked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, get_args

from pydantic import Field, ValidationError

from daemon.ledger.records import Reason
from daemon.planners._claude.tools import BadCallError, Form, findings
from daemon.planners.base import FORCED, REPLACES, Action, Proposal, Situation
from streams.runtime.text import cleaned

SUBMIT: Final = "submit_plan"
ABOUT: Final = (
    "Submit the plan: one action, the reasons for it, and the utility of every action that you weighed, in points of quality "
    "(a point is 0.01 of the model's metric). Doing nothing has 0 by definition and must be among them. An action that can't be "
    "done has null, and stands in `excluded` with the reason."
)
PLANNABLE: Final[tuple[Action, ...]] = tuple(action for action in get_args(Action) if action != FORCED)
"""What may be proposed: every action but the one that is a person's alone."""

LONGEST_TEXT: Final = 400
_LINK: Final = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{0,20}://|www\.|mailto:|javascript:|data:)\S+")

if TYPE_CHECKING:  # the literal is made of the actions that there are, which a type checker can't follow
    Plannable = Action
else:
    Plannable = Literal[PLANNABLE]


class Weighed(Form):
    """An action's utility; null where it can't be done."""

    action: Plannable
    points: float | None = Field(ge=-100, le=100)


class Excluded(Form):
    """Why an action can't be done."""

    action: Plannable
    why: str = Field(min_length=1, max_length=LONGEST_TEXT)


class Because(Form):
    """A reason in plain words, and the events that show it, as they are called in `events_to_cite`."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    evidence: list[str] = Field(max_length=20)


class SubmittedPlan(Form):
    """The plan."""

    action: Plannable
    reasons: list[Because] = Field(min_length=1, max_length=6)
    utilities: list[Weighed] = Field(min_length=1, max_length=len(PLANNABLE))
    excluded: list[Excluded] = Field(max_length=len(PLANNABLE))


def read_plan(given: object, situation: Situation, handles: Mapping[str, str]) -> Proposal:
    """Turn what was submitted into a proposal.

    Args:
        given: as it came.
        situation: what it is about; an action that it rules out is refused.
        handles: what reasons may cite, and the ids that stand behind.

    Raises:
        BadCallError: it isn't a plan, or not one for this situation.
    """
    try:
        plan = SubmittedPlan.model_validate(given)
    except ValidationError as error:
        raise BadCallError(findings(error)) from None
    wrong = list(_faults(plan, handles)) + list(_impossible(plan.action, situation))
    if wrong:
        raise BadCallError(wrong)
    return Proposal(
        action=plan.action,
        reasons=tuple(
            Reason(text=said(one.text), evidence=tuple(map(handles.__getitem__, one.evidence))) for one in plan.reasons
        ),
        utilities={one.action: one.points for one in plan.utilities},
        excluded={one.action: said(one.why) for one in plan.excluded},
    )


def said(text: str) -> str:
    """Return a text of Claude's as it may be kept for people: one line, bounded, without links and control characters."""
    return _LINK.sub("(link)", " ".join(cleaned(text, LONGEST_TEXT).split()))


def _faults(plan: SubmittedPlan, handles: Mapping[str, str]) -> Iterator[str]:
    weighed = {one.action: one.points for one in plan.utilities}
    excluded = {one.action for one in plan.excluded}
    if "no_action" not in weighed:
        yield "utilities: no_action must be weighed too"
    if weighed.get(plan.action) is None:
        yield "utilities: the chosen action must be weighed, and not be excluded"
    if len(weighed) < len(plan.utilities) or len(excluded) < len(plan.excluded):
        yield "utilities, excluded: name each action once"
    if any(points is None and action not in excluded for action, points in weighed.items()):
        yield "excluded: say of each action without a utility why it can't be done"
    if not all(said(text) for text in (*(one.text for one in plan.reasons), *(one.why for one in plan.excluded))):
        yield "reasons, excluded: say something"
    if any(name not in handles for one in plan.reasons for name in one.evidence):
        yield "reasons: cite only events that stand in events_to_cite"


def _impossible(action: Action, situation: Situation) -> Iterator[str]:
    """Say what of the situation rules an action out; what is new among the actions is ruled out by the arbiter."""
    if situation.submitted and action not in {"judge_submitted", "no_action"}:
        yield "action: a challenger was submitted; it is judged, and nothing else is done"
    if action == "judge_submitted" and not situation.submitted:
        yield "action: no challenger was submitted"
    if action in REPLACES and (situation.is_frozen or not situation.may_promote):
        yield "action: nothing could be promoted"
    if action in situation.tried:
        yield "action: the same was tried lately, and didn't help"
    if action == "restore_archived" and not situation.diagnosis.archived:
        yield "action: no earlier champion was measured since the change"
    if action == "search_features_and_retrain" and not situation.has_windows:
        yield "action: nobody computes windows where the model is served"
    if action == "wait_for_labels" and situation.waits_left <= 0:
        yield "action: no wait for labels is left"
    if action == "rollback" and not situation.can_roll_back:
        yield "action: no earlier champion is known"
