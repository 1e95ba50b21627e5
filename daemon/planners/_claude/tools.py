"""The tools that Claude may call: all of them only read, and answer from the dossier. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import anthropic
import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from daemon.planners._claude.dossier import MOST, Dossier


class Form(BaseModel):
    """Base of what Claude fills in: nothing is converted, nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Nothing(Form):
    """No arguments."""


class Top(Form):
    """How much to return."""

    top: int = Field(ge=1, le=MOST, description="How many entries to return.")


class Tool(NamedTuple):
    """What a tool is for, what it takes, and how it is answered."""

    description: str
    takes: type[Form]
    answer: Callable[[Dossier, Any], Any]


class BadCallError(Exception):
    """A call that can't be answered; `findings` say what to do, in our words only."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


TOOLS: Final[Mapping[str, Tool]] = {
    "drift_ranking": Tool(
        "Columns of the requests that moved since the champion was trained, most moved first: population stability index, and "
        "the change of the mean in reference deviations (of a category: the largest change of a share).",
        Top,
        lambda dossier, given: dossier.drift(given.top),
    ),
    "worst_slices": Tool(
        "Slices of recent rows on which the champion's loss is highest, worst first: rows, mean loss, and how far that lies "
        "above the usual.",
        Top,
        lambda dossier, given: dossier.slices(given.top),
    ),
    "label_state": Tool(
        "How much truth came in recently: labels for each prediction, how long they took in ms, and labelled rows.",
        Nothing,
        lambda dossier, given: dossier.labels(),
    ),
    "performance": Tool(
        "Quality, higher is better: as validated, and recently with its 95 % interval. `headroom` is what a missing feature "
        "could bring, with its interval, null where it could not be measured. `change` is when the newest change began, "
        "how many labelled rows there are since, and how many of them a training would be given; `archived` are earlier "
        "champions: their quality less the present one's on the newest `rows` of `labelled` rows since the change, with an "
        "interval that holds for all that were `compared`.",
        Nothing,
        lambda dossier, given: dossier.performance(),
    ),
    "recorded_events": Tool(
        "What monitors stated about this incident, oldest first. Reasons can cite these events.",
        Top,
        lambda dossier, given: dossier.events(given.top),
    ),
    "past_incidents": Tool(
        "Earlier incidents of this model, newest first: their cause, what was done, how it ended, and what was measured.",
        Top,
        lambda dossier, given: dossier.past(given.top),
    ),
    "limits": Tool(
        "What budgets and the state of the model allow now.",
        Nothing,
        lambda dossier, given: dossier.limits(),
    ),
}


def answer(dossier: Dossier, name: str, given: object) -> str:
    """Answer one call, as JSON.

    Raises:
        BadCallError: its arguments aren't the tool's.
    """
    tool = TOOLS[name]
    try:
        taken = tool.takes.model_validate(given)
    except ValidationError as error:
        raise BadCallError(findings(error)) from None
    return msgspec.json.encode(tool.answer(dossier, taken)).decode()


def findings(error: ValidationError) -> list[str]:
    """Say what is wrong with a form, without repeating anything that was filled in."""
    return [f"{_place(one)}: {one['type'].replace('_', ' ')}" for one in error.errors(include_input=False)[:MOST]]


def declared(name: str, description: str, takes: type[Form]) -> dict[str, Any]:
    """Return a tool as it is declared to the Messages API, with arguments that the API holds to the schema."""
    return {
        "name": name,
        "description": description,
        "input_schema": anthropic.transform_schema(takes),
        "strict": True,
    }


def _place(error: ErrorDetails) -> str:
    # A key that isn't of the form may say anything: it isn't repeated.
    where = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    return ".".join(str(part) for part in where) or "arguments"
