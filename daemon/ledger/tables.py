"""The ledger's tables, typed. Their making and changing is in `migrations/`; a test holds the two together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from daemon.ledger.canonical import writable

# Named constraints, so that later migrations can change them on every database.
_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Words(TypeDecorator[str]):
    """Text of which some comes from topics: what not every database holds in a text is replaced on the way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is stored, or compared with what is."""
        return None if value is None else writable(value)


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {int: BigInteger, str: Words, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 - SQLAlchemy reads it so


class EventRow(Table):
    """A monitor's statement as received, and what triage made of it (`new`, `opened`, `folded`, `ignored`)."""

    __tablename__ = "event"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    model: Mapped[str]
    kind: Mapped[str]
    transition: Mapped[str]
    time_ms: Mapped[int]
    decision: Mapped[str]
    reason: Mapped[str]
    incident_id: Mapped[str | None] = mapped_column(ForeignKey("incident.id"))
    data: Mapped[dict[str, Any]]
    __table_args__ = (Index("ix_event_model_decision", "model", "decision"),)


class IncidentRow(Table):
    """An incident, as it stands now."""

    __tablename__ = "incident"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    model: Mapped[str]
    cause: Mapped[str]
    state: Mapped[str]
    opened_ms: Mapped[int]
    moved_ms: Mapped[int]
    waits_until_ms: Mapped[int | None]
    requester: Mapped[str]
    champion: Mapped[str]
    challenger: Mapped[str]
    plan_digest: Mapped[str | None]
    reason: Mapped[str]
    details: Mapped[dict[str, Any]]
    __table_args__ = (Index("ix_incident_model_state", "model", "state"),)


class PlanRow(Table):
    """A plan, never changed after it was written."""

    __tablename__ = "plan"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"))
    action: Mapped[str]
    created_ms: Mapped[int]
    data: Mapped[dict[str, Any]]


class StepRow(Table):
    """One act on the world. `subject` is an incident or a command."""

    __tablename__ = "step"
    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    model: Mapped[str]
    subject: Mapped[str]
    key: Mapped[str]
    kind: Mapped[str]
    skill: Mapped[str]
    state: Mapped[str]
    attempt: Mapped[int]
    owner: Mapped[str]
    lease_until_wall_ms: Mapped[int]
    payload: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]
    failure: Mapped[str]
    message: Mapped[str]
    ended_ms: Mapped[int | None]
    __table_args__ = (UniqueConstraint("subject", "key"), Index("ix_step_model_state", "model", "kind", "state"))


class ApprovalRow(Table):
    """A person's word on a plan, by the id of the command that brought it."""

    __tablename__ = "approval"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    plan_digest: Mapped[str] = mapped_column(ForeignKey("plan.digest"))
    by: Mapped[str]
    decision: Mapped[str]
    state: Mapped[str]
    expires_wall_ms: Mapped[int]
    given_ms: Mapped[int]


class ExperimentRow(Table):
    """Something that was tried. The fingerprint is unique: the same thing on the same data is never tried twice."""

    __tablename__ = "experiment"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    configuration: Mapped[str]
    model: Mapped[str]
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"))
    action: Mapped[str]
    outcome: Mapped[str]
    time_ms: Mapped[int]


class LessonRow(Table):
    """What an incident taught."""

    __tablename__ = "lesson"
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    model: Mapped[str]
    cause: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[str]
    text: Mapped[str]
    numbers: Mapped[dict[str, Any]]
    time_ms: Mapped[int]


class BudgetEntryRow(Table):
    """What an incident spent. One entry a kind, so a repeated move spends nothing."""

    __tablename__ = "budget_entry"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"))
    model: Mapped[str]
    kind: Mapped[str]
    amount: Mapped[float] = mapped_column(Float)
    time_ms: Mapped[int]
    __table_args__ = (UniqueConstraint("incident_id", "kind"),)


class LlmCallRow(Table):
    """One call of a language model, as it was reserved (outcome `reserved`) or as it ended.

    `model` is whose incident it was about, `llm` who was asked. `asked_wall_ms` is wall time: money is real also in a replay.
    """

    __tablename__ = "llm_call"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"))
    model: Mapped[str]
    llm: Mapped[str]
    purpose: Mapped[str]
    tokens_in: Mapped[int]
    tokens_out: Mapped[int]
    tokens_cache_read: Mapped[int]
    tokens_cache_written: Mapped[int]
    dollars: Mapped[float] = mapped_column(Float)
    latency_ms: Mapped[int]
    outcome: Mapped[str]
    request_id: Mapped[str]
    asked_wall_ms: Mapped[int]
    time_ms: Mapped[int]
    __table_args__ = (Index("ix_llm_call_model_asked", "model", "asked_wall_ms"),)


class CommandRow(Table):
    """An order as received, in order of arrival, and what became of it (`new`, `applied`, `rejected`)."""

    __tablename__ = "command"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(128), unique=True)
    model: Mapped[str]
    kind: Mapped[str]
    by: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    applied_ms: Mapped[int | None]
    data: Mapped[dict[str, Any]]


class GoalRow(Table):
    """What somebody asked for, as it was said and as it was compiled (`proposed`, `approved`, `retired`). Times are event time.

    No model means a goal for one that is yet to be made.
    """

    __tablename__ = "goal"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    model: Mapped[str | None]
    sentence: Mapped[str]
    objective: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str]
    proposed_by: Mapped[str]
    approved_by: Mapped[str]
    retired_by: Mapped[str]
    proposed_ms: Mapped[int]
    approved_ms: Mapped[int | None]
    retired_ms: Mapped[int | None]
    __table_args__ = (Index("ix_goal_model_state", "model", "state"),)


class PlaybookRow(Table):
    """What plans did well and may do again without being asked for, by the digest of its recipe.

    It is `proposed`, `approved`, `suspended` or `retired`, since `changed_ms` in event time; an approval ends by the wall clock.
    """

    __tablename__ = "playbook"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str]
    recipe: Mapped[dict[str, Any]]
    state: Mapped[str]
    supported_by: Mapped[list[str]]
    reason: Mapped[str]
    changed_ms: Mapped[int]
    approved_by: Mapped[str]
    expires_wall_ms: Mapped[int | None]
    __table_args__ = (Index("ix_playbook_model_state", "model", "state"),)


class AuditRow(Table):
    """One link of the chain, as `chain.AuditRecord` says."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(server_default="1")
    time_ms: Mapped[int]
    wall: Mapped[str]
    kind: Mapped[str]
    actor: Mapped[str] = mapped_column(server_default="")
    model: Mapped[str]
    subject: Mapped[str]
    incident: Mapped[str] = mapped_column(server_default="")
    data: Mapped[str]
    key: Mapped[str] = mapped_column(server_default="")
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        Index("ix_audit_subject", "subject"),
        Index("ix_audit_model_kind", "model", "kind"),
        Index("ix_audit_incident", "incident"),
        Index("ix_audit_actor", "actor"),
        Index("ix_audit_kind", "kind"),
        Index("ix_audit_time_ms", "time_ms"),
    )
