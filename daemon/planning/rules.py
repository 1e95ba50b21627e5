"""A site's own rules, as data: what is denied, and what needs a person's approval, whatever a model's autonomy. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from daemon.planners.base import Action
from skills._kit.causes import Cause
from streams.runtime.config import Section

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Going back to what served before, and asking somebody: denied only by a rule that names them.
SAFE: frozenset[Action] = frozenset({"rollback", "ask_person"})


class SiteRule(Section):
    """One rule. It is about a plan that fits everything that it names; what it doesn't name may be anything."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    """What the ruling calls it."""

    effect: Literal["deny", "need_approval"]
    """`deny`: the plan is refused; `need_approval`: a person is asked, also where autonomy is `act`. To deny overrides."""

    actions: tuple[Action, ...] = ()
    """What the plan would do. A rule that names none is about all but `rollback` and `ask_person`."""

    causes: tuple[Cause, ...] = ()
    """The likeliest cause."""

    models: tuple[str, ...] = ()
    """The model, for rules that several models share."""

    requesters: tuple[str, ...] = ()
    """Who asked for it; `driftwake` where an event did."""

    weekdays: tuple[Weekday, ...] = ()
    """Days of the week on which it would begin, in UTC."""

    hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] = ()
    """Hours of the day in which it would begin, in UTC."""


class Wanted(NamedTuple):
    """What rules look at: a plan's action, likeliest cause, model and requester, and the event time of its beginning."""

    action: str
    cause: str
    model: str
    requester: str
    time_ms: int


def matching(rules: Sequence[SiteRule], wanted: Wanted) -> tuple[SiteRule, ...]:
    """Return the rules that are about a plan, in their order."""
    return tuple(rule for rule in rules if _fits(rule, wanted))


def _fits(rule: SiteRule, wanted: Wanted) -> bool:
    moment = dt.datetime.fromtimestamp(wanted.time_ms / 1_000, dt.UTC)
    named = (
        (rule.causes, wanted.cause),
        (rule.models, wanted.model),
        (rule.requesters, wanted.requester),
        (rule.weekdays, _WEEKDAYS[moment.weekday()]),
        (rule.hours, moment.hour),
    )
    is_meant = wanted.action in rule.actions if rule.actions else wanted.action not in SAFE
    return is_meant and all(not choices or value in choices for choices, value in named)
