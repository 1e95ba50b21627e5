"""The tools that an assistant may call: each a few calls of the API in the name of the token, answered in safe words.

One of them asks for a plan, which goes the way of all plans; none approves, deploys, or does anything else by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.api.commands import Asked
from daemon.api.wire import CommandFate, Ordered, Page
from daemon.commands.calling import Caller, part
from daemon.commands.deciding import Again
from daemon.commands.errors import BadInputError
from daemon.commands.explaining import Story
from daemon.commands.looking import Status
from daemon.ledger.chain import AuditRecord
from daemon.ledger.records import Incident, PlannedWork, State, Tried
from daemon.mcp import telling
from daemon.mcp.telling import Aliases
from daemon.settings import DaemonSettings
from streams.contracts.schema import Column, ModelSchema

MOST: Final = 100
_SHORT: Final = 200
# Of a model whose config isn't at hand: a schema has a column, and no other is called like this one.
_UNKNOWN: Final = ModelSchema(columns=(Column(name="_", kind="number"),))


class Form(BaseModel):
    """Base of what is filled in: nothing is converted, nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Nothing(Form):
    """No arguments."""


class OfModel(Form):
    """Which model, and how much."""

    model: str | None = Field(default=None, max_length=_SHORT, description="Only this model; left out, all that the token sees.")
    limit: int = Field(default=20, ge=1, le=MOST, description="At most so many.")
    after: str | None = Field(default=None, max_length=_SHORT, description="`next` of an earlier answer: what comes behind it.")


class OfIncidents(OfModel):
    """Which incidents."""

    state: State | None = Field(default=None, description="Only those in this state.")
    open: bool = Field(default=False, description="Only those under way.")


class OfPlans(OfModel):
    """Which plans."""

    state: State | None = Field(default=None, description="Only those whose incidents are in this state.")


class OfAudit(OfModel):
    """Which records."""

    incident: str | None = Field(default=None, max_length=_SHORT, description="Only what belongs to this incident.")
    kind: str | None = Field(default=None, max_length=_SHORT, description="Only this, for instance approval.given.")


class OfIncident(Form):
    """Which incident."""

    incident: str = Field(min_length=1, max_length=_SHORT, description="Its id.")


class Wanted(Form):
    """Of which model a plan is asked for, why, and which repair, if one is meant."""

    model: str = Field(min_length=1, max_length=_SHORT, description="The model.")
    why: str = Field(min_length=1, max_length=500, description="Why; it stands in the audit, for people, and decides nothing.")
    action: Literal["rollback", "restore_archived", "retrain", "search_features_and_retrain"] | None = Field(
        default=None, description="Which repair is meant; left out, the planner finds out."
    )


class OfCommand(Form):
    """Which command."""

    command: str = Field(min_length=1, max_length=_SHORT, description="The id that `propose_plan` gave.")


class Tool(NamedTuple):
    """What a tool is for, what it takes, how it is answered, and whether it only reads."""

    description: str
    takes: type[Form]
    answer: Callable[[Desk, Any], Any]
    is_reading: bool = True


class Desk:
    """Where tools are answered.

    Args:
        caller: a daemon's API, and the token of whose assistant this is.
        settings: of the config, whose columns may be named; None: all columns are numbered.
    """

    def __init__(self, caller: Caller, settings: DaemonSettings | None) -> None:
        self._caller = caller
        self._settings = settings

    def status(self, given: Nothing) -> Any:
        """Tell how every model stands."""
        return {"models": telling.status(self._caller.get("/v1/status", Status))}

    def incidents(self, given: OfIncidents) -> Any:
        """List incidents."""
        return self._page("/v1/incidents", Page[Incident], given, telling.incident)

    def evidence(self, given: OfIncident) -> Any:
        """Tell what was measured about an incident."""
        story = self._story(given)
        return telling.evidence(story, self._schema(story.incident.model))

    def explain(self, given: OfIncident) -> Any:
        """Tell an incident from its opening to its lesson."""
        story = self._story(given)
        moves = self._caller.get("/v1/audit", Page[AuditRecord], subject=story.incident.id, kind="incident.moved", limit=MOST)
        return telling.story(story, moves.items)

    def simulate(self, given: OfIncident) -> Any:
        """Decide again on what was known, by the policy planner; nothing is written."""
        return telling.decision(self._caller.get(f"/v1/incidents/{part(given.incident)}/decision", Again, planner="policy"))

    def plans(self, given: OfPlans) -> Any:
        """List plans."""
        return self._page("/v1/plans", Page[PlannedWork], given, telling.plan)

    def experiments(self, given: OfModel) -> Any:
        """List what was tried."""
        return self._page("/v1/experiments", Page[Tried], given, telling.experiment)

    def audit(self, given: OfAudit) -> Any:
        """List what stands in the audit."""
        return self._page("/v1/audit", Page[AuditRecord], given, telling.record)

    def propose_plan(self, given: Wanted) -> Any:
        """Ask for a plan."""
        arguments = given.model_dump(exclude={"model"}, exclude_none=True)
        ordered = self._caller.post("/v1/commands", Asked(kind="propose_plan", model=given.model, arguments=arguments), Ordered)
        return {"command": Aliases().id(ordered.id), "then": "call `command` with it; a plan waits for a person's approval"}

    def command(self, given: OfCommand) -> Any:
        """Tell what became of a command."""
        return telling.fate(self._caller.get(f"/v1/commands/{part(given.command)}", CommandFate))

    def _page(self, path: str, kind: Any, given: OfModel, tell: Callable[[Any, Aliases], dict[str, Any]]) -> Any:
        found = self._caller.get(path, kind, **given.model_dump(exclude_none=True))
        aliases = Aliases()
        return {"items": [tell(one, aliases) for one in found.items], "next": None if found.after is None else str(found.after)}

    def _story(self, given: OfIncident) -> Story:
        return self._caller.get(f"/v1/incidents/{part(given.incident)}", Story)

    def _schema(self, model: str) -> ModelSchema:
        known = () if self._settings is None else self._settings.models
        return next((one.schema_contract() for one in known if one.name == model), _UNKNOWN)


# In this order, which clients may keep.
TOOLS: Final[Mapping[str, Tool]] = {
    "status": Tool("How every model stands: what it serves, whether it is frozen, what is under way.", Nothing, Desk.status),
    "incidents": Tool("Incidents, oldest first: what opened each, and where it stands.", OfIncidents, Desk.incidents),
    "evidence": Tool(
        "What was measured about an incident: probable causes, columns that moved, worst slices, labels, quality, what monitors "
        "stated, and what earlier incidents taught. Texts from the data are numbered, as cat_001.",
        OfIncident,
        Desk.evidence,
    ),
    "explain": Tool(
        "An incident from its opening to its lesson: each move and the rule that made it, what was weighed, the plan, "
        "guardrails, steps, verdicts and deployments.",
        OfIncident,
        Desk.explain,
    ),
    "simulate": Tool(
        "Decide again on what was known when an incident was planned for, with today's settings, beside what was decided then. "
        "Nothing is written or begun.",
        OfIncident,
        Desk.simulate,
    ),
    "plans": Tool("Plans, oldest first, and what people said of them.", OfPlans, Desk.plans),
    "experiments": Tool("What was tried on a model, in order, and what came of it.", OfModel, Desk.experiments),
    "audit": Tool("Records of the audit in order: who did what to what, and the hash that proves it.", OfAudit, Desk.audit),
    "propose_plan": Tool(
        "Ask for a plan for a model: it is diagnosed and planned for as if an alarm had been raised, within the same guardrails "
        "and budgets, and runs only when somebody else than the token's owner approves it. This call begins nothing.",
        Wanted,
        Desk.propose_plan,
        is_reading=False,
    ),
    "command": Tool("What became of a plan that was asked for: new, applied, or rejected and why.", OfCommand, Desk.command),
}


def answer(desk: Desk, name: str, given: Mapping[str, Any]) -> Any:
    """Answer one call.

    Raises:
        BadInputError: there is no such tool, or its arguments aren't the tool's; the message says which.
        DaemonError: the daemon said no, or nothing.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise BadInputError(f"there is no such tool; there are {', '.join(TOOLS)}")
    try:
        taken = tool.takes.model_validate(dict(given))
    except ValidationError as error:
        findings = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)[:5])
        raise BadInputError("; ".join(findings)) from None
    return tool.answer(desk, taken)
