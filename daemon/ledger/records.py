"""What the ledger tells and is told: frozen facts, no database in sight. Times are event time in ms unless called `wall`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from daemon.ledger.ids import GoalId, IncidentId, PlanDigest, StepId, digest_of

State = Literal[
    "open", "diagnosed", "planned", "awaiting_approval", "running", "judged", "shadowing", "promoting", "probation",
    "closed", "no_action", "refused", "rolled_back", "failed", "expired",
]  # fmt: skip
Autonomy = Literal["observe", "propose", "act"]

ENDS: frozenset[State] = frozenset({"closed", "no_action", "refused", "rolled_back", "failed", "expired"})
# A plan that ran and ended so did not do what it was for.
_BROKEN: frozenset[State] = frozenset({"refused", "failed", "rolled_back"})

# From each state where an incident may go. A move to itself is a wait that learned something (later time, one more try).
MOVES: dict[State, frozenset[State]] = {
    "open": frozenset({"open", "diagnosed", "failed", "expired"}),
    "diagnosed": frozenset({"open", "planned", "no_action", "refused", "failed"}),
    "planned": frozenset({"awaiting_approval", "running", "no_action", "refused", "failed", "expired"}),
    "awaiting_approval": frozenset({"awaiting_approval", "running", "no_action", "refused", "failed", "expired"}),
    "running": frozenset({"judged", "promoting", "refused", "failed"}),
    "judged": frozenset({"shadowing", "refused", "failed"}),
    "shadowing": frozenset({"shadowing", "promoting", "refused", "failed"}),
    "promoting": frozenset({"promoting", "probation", "closed", "refused", "failed", "expired"}),
    "probation": frozenset({"probation", "closed", "rolled_back", "failed"}),
}


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a model and is being dealt with.

    `cause` is the key by which events fold into it; `requester` is who asked (a person's name, or `driftwake`);
    `details` grows with each move (diagnosis, verdicts, when the shadow began).
    """

    id: IncidentId
    model: str
    cause: str
    state: State
    opened_ms: int
    moved_ms: int
    waits_until_ms: int | None = None
    requester: str
    champion: str
    challenger: str = ""
    plan_digest: PlanDigest | None = None
    reason: str = ""
    details: dict[str, Any] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDS


def has_broken(state: str, details: Mapping[str, Any]) -> bool:
    """Whether an incident's plan ran, and was refused by what judged it, failed or was rolled back."""
    return state in _BROKEN and "started_ms" in details


class PlanStep(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a skill. Arguments may hold references to earlier steps' results; `needs` names those steps."""

    key: str
    skill: str
    arguments: dict[str, Any] = {}
    needs: tuple[str, ...] = ()


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why: a sentence made of numbers and enums, and the ids of what shows it."""

    text: str
    evidence: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, as immutable data.

    `sealed` is the window of event time [since, until) that no search sees; `budget_ms` the virtual time the steps take;
    `alternatives` the utilities of all actions that were weighed; `configuration` is equal for plans that would try the
    same thing again.
    """

    model: str
    incident: IncidentId
    action: str
    proposer: str
    requester: str
    autonomy: Autonomy
    created_ms: int
    expires_ms: int
    steps: tuple[PlanStep, ...]
    reasons: tuple[Reason, ...]
    alternatives: dict[str, float] = {}
    sealed: tuple[int, int]
    budget_ms: int
    configuration: str
    champion: str

    @property
    def digest(self) -> PlanDigest:
        """The plan's address; approvals are bound to it."""
        return PlanDigest(digest_of(self))


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """An entry in the budget: `kind` is `training_minutes` or `promotion`."""

    kind: Literal["training_minutes", "promotion"]
    amount: float


UNKNOWN = "unknown"
"""The cause of what nobody has diagnosed."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident taught, from numbers and enums only."""

    cause: str
    action: str
    outcome: State
    text: str
    numbers: dict[str, float] = {}
    time_ms: int = 0
    incident: str = ""


INCONCLUSIVE = "inconclusive"
"""What came of an experiment that could not be judged: nothing was learned, for it or against it."""


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that was tried and what came of it: the state that its incident ended in, `running` or `inconclusive`.

    `sealed` is the window that it was judged on, `rows` how many there were, and `lacked` how many more the judge wanted.
    """

    configuration: str
    outcome: str
    time_ms: int
    sealed: tuple[int, int] | None = None
    rows: int = 0
    lacked: int = 0


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of an incident with everything that is written with it, in one transaction.

    `rule` names the rule that decided; `details` is merged into the incident's; `plan`, `spends` and `lesson` are stored,
    `approval` is used up.
    """

    to: State
    reason: str
    rule: str
    details: dict[str, Any] = {}
    waits_until_ms: int | None = None
    challenger: str | None = None
    plan: Plan | None = None
    spends: tuple[Spend, ...] = ()
    lesson: Lesson | None = None
    approval: str = ""


StepState = Literal["pending", "leased", "reserved", "done", "failed"]
StepKind = Literal["skill", "deploy"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One act on the world, and how far it is.

    pending → leased (somebody prepares it) → reserved (it may have happened: ask the world) → done | failed(failure).
    `payload` is what was reserved (arguments, or the deployment to publish); `result` what came back.
    """

    id: StepId
    model: str
    subject: str
    key: str
    kind: StepKind
    skill: str
    state: StepState
    attempt: int = 0
    owner: str = ""
    lease_until_wall_ms: int = 0
    payload: dict[str, Any] = {}
    result: dict[str, Any] = {}
    failure: str = ""
    message: str = ""
    ended_ms: int | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on a plan. Used once, and only before it expires (wall clock)."""

    id: str
    plan_digest: str
    by: str
    decision: Literal["approve", "refuse"]
    state: Literal["given", "used", "void"]
    expires_wall_ms: int


GoalState = Literal["proposed", "approved", "retired"]


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for. `objective` is the written form of `daemon.goals.objective`, and `digest` its address.

    The sentence is what was said, or empty where a YAML was filled in; it came from a person, and is obeyed by nothing.
    """

    id: GoalId
    model: str | None
    sentence: str
    objective: dict[str, Any]
    digest: str
    state: GoalState
    proposed_by: str
    approved_by: str = ""
    retired_by: str = ""
    proposed_ms: int
    approved_ms: int | None = None
    retired_ms: int | None = None


class PlannedWork(msgspec.Struct, frozen=True, kw_only=True):
    """A plan, where its incident is with it, and what people said of it; an `altered` plan isn't what its digest says."""

    digest: str
    altered: bool
    state: State
    plan: Plan
    approvals: tuple[Approval, ...]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment with its place: its number in order of beginning, and the incident in which it was tried."""

    number: int
    model: str
    incident: str
    action: str
    configuration: str
    outcome: str
    time_ms: int


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What plans have in common that do the same about the same cause: what a playbook allows, and is found by.

    `rows` says what a training or a comparison takes: the rows that the config says, or those since a change. `settings` are
    those of the config that shape a plan, and its judge's. Who proposed it, the champion and its windows don't belong to it.
    """

    model: str
    cause: str
    action: str
    rows: Literal["as_configured", "since_change"]
    settings: dict[str, Any]

    @property
    def digest(self) -> str:
        """Its address; a playbook's approval is bound to it."""
        return digest_of(self)


PlaybookState = Literal["proposed", "approved", "suspended", "retired"]


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe whose plans have turned out well, and whether they may run without being asked for. There is one a recipe.

    `supported_by` are the incidents that it was proposed for; `reason` says why it is in its state, since `changed_ms` (event
    time). An approval ends at `expires_wall_ms`. What was before is in the audit.
    """

    digest: str
    recipe: Recipe
    state: PlaybookState
    supported_by: tuple[str, ...]
    reason: str
    changed_ms: int
    approved_by: str = ""
    expires_wall_ms: int | None = None

    def is_in_force(self, wall_ms: int) -> bool:
        """Whether it is approved, and the approval hasn't expired, at a time of the wall clock."""
        return self.state == "approved" and self.expires_wall_ms is not None and wall_ms < self.expires_wall_ms
