"""What a planner is asked and answers.

Called by the planning stage, once per diagnosis; what it answers is only a proposal: guardrails and the model's autonomy
decide whether anything happens. Kinds other than `policy` are asked beside the loop, which goes on meanwhile: one may take its
time, is cancelled when the daemon stops, and is asked again after a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from daemon.errors import DaemonError
from daemon.ledger.records import Lesson, Reason
from streams.contracts.schema import ModelSchema
from streams.runtime.clock import WallClock

if TYPE_CHECKING:  # the ledger opens databases; who only reads a config needs none of that
    from daemon.ledger.ledger import Ledger

Action = Literal[
    "no_action", "wait_for_labels", "alert_upstream", "ask_person", "search_features_and_retrain", "retrain", "restore_archived",
    "judge_submitted", "rollback", "promote_submitted",
]  # fmt: skip
# A person's alone: no planner may propose it.
FORCED: Action = "promote_submitted"
LEARNABLE: frozenset[str] = frozenset({"concept_change", "harmful_shift", "new_segment"})
"""Causes against which a model may learn: what came since a change is sound, and new to it."""
SURE = 0.8
"""From such a probability on the likeliest cause is taken for certain."""

TRAINS: frozenset[Action] = frozenset({"search_features_and_retrain", "retrain"})
# What ends, if the judge agrees, in another champion.
REPLACES: frozenset[Action] = TRAINS | {"restore_archived"}
# What somebody may ask for by name; the policy planner, the guardrails and another person say whether it is done.
ASKED: frozenset[Action] = REPLACES | {"rollback"}


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One explanation with its probability."""

    cause: str
    probability: float
    evidence: Any = None


class LabelState(msgspec.Struct, frozen=True, kw_only=True):
    """How much truth came in recently: labels for each prediction, at most 1, delays in ms, labelled rows."""

    coverage: float | None = None
    delay_ms_p50: float | None = None
    delay_ms_p90: float | None = None
    rows: int = 0


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Quality (higher is better) that the bundle was validated with, and the recent one with its interval."""

    reference: float | None = None
    recent: float | None = None
    low: float | None = None
    high: float | None = None


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """What the model could gain, in its metric, from a window over known outcomes that it hasn't got, with the interval."""

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    rows: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """When the newest confirmed change began, and how many labelled rows were asked since, of the rarer class, and to learn from.

    Where there are no classes all are of the rarer one. What nobody has counted is None, as in diagnoses of before it was.
    """

    since_ms: int
    rows: int
    rare: int = 0
    train_rows: int | None = None

    @property
    def learnable(self) -> int:
        """How many rows there are to learn from, as far as that is known."""
        return self.rows if self.train_rows is None else self.train_rows


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier champion: its quality less the present one's on the newest `rows` of `labelled` rows since the change.

    The intervals of all that were `compared` hold together.
    """

    digest: str
    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    rows: int = 0
    labelled: int = 0
    compared: int = 1


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What the diagnosis found; numbers and enums only. `archived` are earlier champions, the newest first."""

    causes: tuple[Cause, ...] = ()
    moved: tuple[dict[str, Any], ...] = ()
    slices: tuple[dict[str, Any], ...] = ()
    label_state: LabelState = LabelState()
    performance: Performance = Performance()
    headroom: Headroom | None = None
    change: Change | None = None
    archived: tuple[Archived, ...] = ()
    rescaled: tuple[dict[str, Any], ...] = ()

    @property
    def likely(self) -> Cause | None:
        """The most probable cause."""
        return max(self.causes, key=lambda one: (one.probability, one.cause), default=None)

    @property
    def news(self) -> Change | None:
        """The change that a model must learn; None where there is none, or it is uncertain whether there is anything to learn."""
        likely = self.likely
        return self.change if likely is not None and likely.cause in LEARNABLE and likely.probability >= SURE else None


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All a planner may know.

    `waits_left` says how often it may still wait for labels, `wait_ms` at a time; `may_promote` whether the promotion budget has
    room when a challenger could be ready; `submitted` whether a person handed in a challenger; `can_roll_back` whether an
    earlier champion is known; `has_windows` whether the model's server computes windows; `is_frozen` whether nothing may be
    deployed now; `tried` what was tried lately on this champion, with the same settings, and didn't help; `evidence` are the ids
    that reasons may cite. What planning costs is written down under `incident`, its id.
    """

    now_ms: int
    incident_cause: str
    incident: str = ""
    diagnosis: Diagnosis
    promotions: int
    may_promote: bool
    lessons: tuple[Lesson, ...] = ()
    waits_left: int = 0
    submitted: bool = False
    can_roll_back: bool = False
    has_windows: bool = True
    wait_ms: int = 0
    is_frozen: bool = False
    tried: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An action, why, and the utility of every action that was weighed (None: it can't be done, and `excluded` says why).

    Whatever the action is, a training would use rows from `train_since_ms` on, or those that the config says where it is None,
    and `challenger` is the digest of the archived bundle that restoring would bring back.
    """

    action: Action
    reasons: tuple[Reason, ...]
    utilities: dict[str, float | None]
    excluded: dict[str, str] = {}
    train_since_ms: int | None = None
    challenger: str | None = None


WhyNot = Literal[
    "no_key", "no_ledger", "over_budget", "circuit_open", "deadline", "refusal", "truncated", "context_exceeded", "unfinished",
    "unknown_stop", "no_plan", "bad_schema", "unknown_tool", "rate_limited", "overloaded", "not_authorised", "rejected",
    "transport", "malformed", "crashed",
]  # fmt: skip
"""Why a planner has nothing to propose. A closed set: it stands in the audit, and people count it."""


class NoProposalError(DaemonError):
    """A planner has nothing to propose; the policy planner's proposal is taken, and the reason is written down."""

    def __init__(self, reason: WhyNot) -> None:
        super().__init__(reason)
        self.reason: WhyNot = reason


class Office(NamedTuple):
    """What a planner of one model may look things up in and keep account with, beside the situation.

    `schema` has the registered columns: other names of columns were written by strangers.
    """

    model: str
    ledger: Ledger
    schema: ModelSchema
    clock: WallClock


class Planner(Protocol):
    """A way of thinking."""

    async def propose(self, situation: Situation) -> Proposal:
        """Choose an action. The proposal's reasons are never empty; doing nothing is an answer like any other.

        Raises:
            NoProposalError: there is none; the policy planner's is taken.
        """
        ...
