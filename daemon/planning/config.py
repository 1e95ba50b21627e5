"""Settings of planning: what may be done, how often, and on which data."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from daemon.ledger.records import Autonomy
from daemon.planning.rules import SiteRule
from streams.runtime.config import Section
from streams.runtime.durations import Duration


class Freeze(Section):
    """A range of event time, epoch milliseconds, in which nothing is deployed."""

    since_ms: int
    """First millisecond of the freeze."""

    until_ms: int
    """First millisecond after it."""


class PlanningConfig(Section):
    """Limits that people set, and the windows of data a plan uses."""

    autonomy: Autonomy = "propose"
    """`observe`: only say what would be done; `propose`: ask a person first; `act`: go on alone, inside the limits."""

    planner: str = "policy"
    """Which planner thinks. The policy planner always does: another one's plan is taken only where nothing speaks against it."""

    kill_switch: bool = False
    """True: nothing is started or deployed, whoever asks; rolling back stays possible."""

    freezes: tuple[Freeze, ...] = ()
    """When nothing may be deployed, for instance around a holiday."""

    promotions_per_30d: int = Field(default=1, ge=0)
    """How many swaps of the champion the model's owners want to see in 30 days at most."""

    training_minutes_per_30d: int = Field(default=600, ge=0)
    """Virtual minutes of training in 30 days."""

    training_budget: Duration = Duration.of("30m")
    """Event time a training is charged: its bundle may not serve earlier, so the machine's speed changes no result."""

    train: Duration = Duration.of("90d")
    """How much of the past a training looks at, up to the newest rows whose labels have had time to come."""

    sealed: Duration = Duration.of("14d")
    """The newest part of the data, which no search sees and the challenger is judged on."""

    search_seconds: int = Field(default=120, ge=1)
    """Wall-clock budget of the search for features."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """Training parameters that differ from the skill's defaults."""

    seed: int = 0
    """Seed of the search and the training."""

    shadow: Duration = Duration.of("7d")
    """How long a challenger will shadow before it can be promoted; for looking ahead at the promotion budget."""

    plan_expiry: Duration = Duration.of("7d")
    """Event time after which a plan that nobody let run is void: its data has become old."""

    approval_expiry: Duration = Duration.of("3d")
    """Wall-clock time after which an approval that was not used is void."""

    ask_expiry: Duration = Duration.of("3d")
    """Event time for which a question waits for a person's word; a shorter `plan_expiry` counts."""

    remind_before: Duration = Duration.of("1d")
    """How long before a plan that waits for a person expires, people are reminded, once; at most half of its time."""

    repeat_after: Duration = Duration.of("14d")
    """How long a configuration that didn't help is not tried again."""

    fresh_share: float = Field(default=0.5, ge=0)
    """An earlier champion that could not be judged is tried again once so many new labelled rows have come, as a share of those
    that it was judged on; or as many as the judge says it lacked, where that is more."""

    tolerated_points: float = Field(default=0.2, ge=0)
    """How far below doing nothing, in points of quality, the policy planner may see what another planner proposes; what it sees
    further below is expected to do harm, and isn't done."""

    playbook_successes: int = Field(default=3, ge=1)
    """After how many plans of the same cause, action and settings (these and `judging`'s) in a row whose champion passed its
    probation, a playbook is proposed. A plan that ran and was refused, failed or was rolled back breaks the row."""

    playbook_expiry: Duration = Duration.of("180d")
    """Wall-clock time after which the approval of a playbook is void, and it must be given again."""

    playbook_probability: float = Field(default=0.8, ge=0, le=1)
    """How probable the diagnosis must find a playbook's cause for its plans to run without being asked for."""

    rules: tuple[SiteRule, ...] = ()
    """The site's own rules: what is denied and what needs an approval, by action, cause, requester, weekday and hour."""

    grants: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Whose plans may use a tagged column that is granted: column to requesters. One that isn't named here is granted to all;
    what drift alone calls for is requested by `driftwake`."""

    @field_validator("rules")
    @classmethod
    def _each_once(cls, rules: tuple[SiteRule, ...]) -> tuple[SiteRule, ...]:
        names = [rule.id for rule in rules]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"{doubled[0]!r} is the id of two rules; a ruling must name one")
        return rules
