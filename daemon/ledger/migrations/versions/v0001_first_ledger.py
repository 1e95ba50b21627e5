"""The first ledger.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NO_CHANGE = ("UPDATE", "DELETE")


def upgrade() -> None:
    """Make all tables; on SQLite the audit refuses changes by itself."""
    _incidents()
    _plans()
    _work()
    _memory()
    _audit()


def _incidents() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.String(128), primary_key=True),
        *_texts("model", "cause", "state"),
        *_numbers("opened_ms", "moved_ms"),
        sa.Column("waits_until_ms", sa.BigInteger()),
        *_texts("requester", "champion", "challenger"),
        sa.Column("plan_digest", sa.Text()),
        *_texts("reason"),
        sa.Column("details", sa.JSON(), nullable=False),
    )
    op.create_index("ix_incident_model_state", "incident", ["model", "state"])
    op.create_table(
        "event",
        sa.Column("id", sa.String(128), primary_key=True),
        *_texts("model", "kind", "transition"),
        *_numbers("time_ms"),
        *_texts("decision", "reason"),
        sa.Column("incident_id", sa.String(128), sa.ForeignKey("incident.id", name="fk_event_incident_id")),
        sa.Column("data", sa.JSON(), nullable=False),
    )
    op.create_index("ix_event_model_decision", "event", ["model", "decision"])


def _plans() -> None:
    op.create_table(
        "plan",
        sa.Column("digest", sa.String(64), primary_key=True),
        _incident("plan"),
        *_texts("action"),
        *_numbers("created_ms"),
        sa.Column("data", sa.JSON(), nullable=False),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("plan_digest", sa.String(64), sa.ForeignKey("plan.digest", name="fk_approval_plan_digest"), nullable=False),
        *_texts("by", "decision", "state"),
        *_numbers("expires_wall_ms", "given_ms"),
    )


def _work() -> None:
    op.create_table(
        "step",
        sa.Column("id", sa.String(255), primary_key=True),
        *_texts("model", "subject", "key", "kind", "skill", "state"),
        *_numbers("attempt"),
        *_texts("owner"),
        *_numbers("lease_until_wall_ms"),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        *_texts("failure", "message"),
        sa.Column("ended_ms", sa.BigInteger()),
        sa.UniqueConstraint("subject", "key", name="uq_step_subject"),
    )
    op.create_index("ix_step_model_state", "step", ["model", "kind", "state"])
    op.create_table(
        "command",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(128), nullable=False),
        *_texts("model", "kind", "by", "state", "reason"),
        sa.Column("applied_ms", sa.BigInteger()),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.UniqueConstraint("id", name="uq_command_id"),
    )


def _memory() -> None:
    op.create_table(
        "experiment",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        *_texts("configuration", "model"),
        _incident("experiment"),
        *_texts("action", "outcome"),
        *_numbers("time_ms"),
        sa.UniqueConstraint("fingerprint", name="uq_experiment_fingerprint"),
    )
    op.create_table(
        "lesson",
        sa.Column("incident_id", sa.String(128), sa.ForeignKey("incident.id", name="fk_lesson_incident_id"), primary_key=True),
        *_texts("model", "cause", "action", "outcome", "text"),
        sa.Column("numbers", sa.JSON(), nullable=False),
        *_numbers("time_ms"),
    )
    op.create_table(
        "budget_entry",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        _incident("budget_entry"),
        *_texts("model", "kind"),
        sa.Column("amount", sa.Float(), nullable=False),
        *_numbers("time_ms"),
        sa.UniqueConstraint("incident_id", "kind", name="uq_budget_entry_incident_id"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        *_numbers("time_ms"),
        *_texts("wall", "kind", "model", "subject", "data"),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])
    op.create_index("ix_audit_model_kind", "audit", ["model", "kind"])
    if op.get_bind().dialect.name == "sqlite":
        for change in _NO_CHANGE:
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _incident(table: str) -> sa.Column[str]:
    return sa.Column("incident_id", sa.String(128), sa.ForeignKey("incident.id", name=f"fk_{table}_incident_id"), nullable=False)
