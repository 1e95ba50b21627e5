"""The incident file: what is known of it, what is really behind it, and what is right to do.

The format is described for people in `README.md`. Nothing in the product reads these files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

import msgspec
from pydantic import AfterValidator, Field, model_validator

from daemon.ledger.records import ENDS
from daemon.planners.base import FORCED, Action
from skills._kit.causes import Cause, Signs
from streams.contracts.events import KINDS
from streams.runtime.config import Section, load
from streams.runtime.durations import Duration

INCIDENTS = Path(__file__).resolve().parent / "incidents"

# Right answers that the product has no word for yet: what it would have to say or do.
FURTHER_CAUSES: Final = ("miscalibration", "missing_feature")
FURTHER_ACTIONS: Final = ("recalibrate", "repair_histories")
CAUSES: Final = frozenset((*get_args(Cause), *FURTHER_CAUSES))
ACTIONS: Final = frozenset((*get_args(Action), *FURTHER_ACTIONS)) - {FORCED}

CALM: Final = Signs(
    loss_z=0.0, loss_change=0.0, quality_drop=0.0, estimated_z=None, estimated_change=0.0, psi=0.02, missing=0.0, strange=0.0,
    scale=0.0, dead=0, flagged=0.0, mismatch=0.0, recurring=0.0, delay_ratio=1.0, one_class=False, corrected=0.0,
    labels_missing=False, segment_excess=0.0, segment_share=0.0, swap_days=0.0, swap_chance=1.0, swap_loss_z=None,
    swap_loss_change=0.0, swap_psi=0.0, told={},
)  # fmt: skip
"""The evidence of a model that is well: an incident names what is different."""


def _among(known: frozenset[str], word: str) -> AfterValidator:
    def checked(given: str) -> str:
        if given not in known:
            raise ValueError(f"{given!r} is no {word}; there are: {', '.join(sorted(known))}")
        return given

    return AfterValidator(checked)


KnownCause = Annotated[str, _among(CAUSES, "cause")]
KnownAction = Annotated[str, _among(ACTIONS, "action")]
Share = Annotated[float, Field(ge=0, le=1)]


class Labels(Section):
    """What is known of recent labels."""

    coverage: Share | None = 0.9
    """Labels that came for each prediction."""

    rows: int = Field(default=4_000, ge=0)
    """Labelled rows."""

    delay: Duration = Duration.of("1d")
    """How long nine of ten labels take."""


class Quality(Section):
    """Quality, higher is better: as validated, and lately with its 95 % interval."""

    reference: float | None = 0.80
    recent: float | None = 0.80
    low: float | None = 0.79
    high: float | None = 0.81


class Gain(Section):
    """A difference of quality that was measured, with its 95 % interval."""

    value: float
    low: float
    high: float
    rows: int = Field(default=4_000, ge=1)


class Changed(Section):
    """When the change began, as the events say."""

    ago: Duration
    """Before now."""

    rows: int = Field(ge=0)
    """Labelled rows since then."""


class Ended(Section):
    """An incident of before, and what came of it."""

    ago: Duration
    cause: KnownCause
    action: KnownAction
    outcome: Annotated[str, _among(frozenset(ENDS), "outcome")]


class Standing(Section):
    """What the model may be done to."""

    may_promote: bool = True
    """Whether the promotion budget has room."""

    waits_left: int = Field(default=3, ge=0)
    """How often labels may still be waited for."""

    wait: Duration = Duration.of("3d")
    """How long one wait takes."""

    submitted: bool = False
    """Whether a person handed in a challenger."""

    can_roll_back: bool = False
    """Whether an earlier champion is known."""

    has_windows: bool = True
    """Whether driftwake serves the model, and so computes windows."""

    is_frozen: bool = False
    """Whether deployments are frozen."""

    tried: tuple[KnownAction, ...] = ()
    """What was tried on this champion lately, with the same settings, and didn't help."""


class Machine(Section):
    """What a training would need and what there is for it."""

    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    memory_mb: int = Field(ge=1)
    """Free main memory."""

    gpu_memory_mb: int | None = Field(default=None, ge=0)
    """Free memory of the GPU, null without one."""


class Truth(Section):
    """What is really behind it, and what is right to do."""

    diagnosis: tuple[KnownCause, ...] = ()
    """Causes that are right to name first; none where the incident isn't diagnosed from evidence."""

    second_diagnosis: tuple[KnownCause, ...] = ()
    """Of a second thing that happens at once: one of these must be named next."""

    best: tuple[KnownAction, ...] = Field(min_length=1)
    """What who knows the truth would do."""

    acceptable: tuple[KnownAction, ...] = ()
    """What does no harm and gets there later, or at a higher price."""

    forbidden: tuple[KnownAction, ...] = ()
    """What makes it worse."""

    training_range: Literal["since_change", "all"] | None = None
    """Which rows a training must use; null where either is right."""

    device: Literal["cpu", "cuda"] | None = None
    """Where a training must run; null where nothing is said of the machine."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        named = [*self.best, *self.acceptable, *self.forbidden]
        doubled = sorted({one for one in named if named.count(one) > 1})
        if doubled:
            raise ValueError(f"{', '.join(doubled)} is named twice among best, acceptable and forbidden")
        if self.second_diagnosis and not self.diagnosis:
            raise ValueError("second_diagnosis needs a diagnosis beside it")
        return self


class Incident(Section):
    """One simulated incident."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    why: str = Field(min_length=20)
    """What really happens, and why the best action is the best."""

    opened_by: Annotated[str, _among(frozenset({*KINDS, "challenge"}), "kind of event")]
    """Kind of the event that opened it."""

    evidence: dict[str, Any] | None = None
    """The diagnosis's numbers that differ from those of a model that is well; the causes are weighed from them."""

    causes: dict[KnownCause, Share] = Field(default_factory=dict)
    """Causes with their probabilities, where they can't come from evidence."""

    labels: Labels = Labels()
    quality: Quality = Quality()
    headroom: Gain | None = None
    """What a missing window of known outcomes is worth; null where nobody could measure it."""

    change: Changed | None = None
    archived: tuple[Gain, ...] = ()
    """By how much earlier champions are better than the present one since the change, the newest first."""

    history: tuple[Ended, ...] = ()
    standing: Standing = Standing()
    machine: Machine | None = None
    hostile: tuple[str, ...] = ()
    """Texts of the stream's own that stand where names of columns and slices do: nothing may change because of them."""

    truth: Truth

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        findings = []
        if self.evidence is not None:
            findings += _about_evidence(self.evidence)
            if self.causes:
                findings.append("give either evidence or causes: what is handed over isn't diagnosed")
        if (self.evidence is not None) != bool(self.truth.diagnosis):
            findings.append("evidence and truth.diagnosis belong together")
        if self.truth.device is not None and self.machine is None:
            findings.append("truth.device needs a machine")
        if self.truth.training_range is not None and self.change is None:
            findings.append("truth.training_range needs a change")
        if findings:
            raise ValueError("; ".join(findings))
        return self

    @property
    def signs(self) -> Signs | None:
        """The evidence as the diagnosis weighs it."""
        return None if self.evidence is None else msgspec.convert(msgspec.to_builtins(CALM) | self.evidence, Signs)


def _about_evidence(given: dict[str, Any]) -> list[str]:
    unknown = sorted(set(given) - set(Signs.__struct_fields__))
    if unknown:
        return [f"evidence: the diagnosis has no {', '.join(unknown)}"]
    try:
        signs = msgspec.convert(msgspec.to_builtins(CALM) | given, Signs)
    except msgspec.ValidationError as error:
        return [f"evidence: {error}"]
    strange = sorted(set(signs.told) - {*KINDS, "labels"})
    return [f"evidence: kinds that no event has: {', '.join(strange)}"] if strange else []


def load_incident(file: Path) -> Incident:
    """Read and check an incident file; the environment changes nothing.

    Raises:
        ConfigError: with every finding, each with its place.
    """
    return load(Incident, file, variables={}).settings


def incident_files() -> dict[str, Path]:
    """Return the files of all incidents by id, in order."""
    return {file.stem: file for file in sorted(INCIDENTS.glob("*.yaml"))}
