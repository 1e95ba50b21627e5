"""Calls of language models, and what they cost.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "llm_call",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("incident_id", sa.String(128), sa.ForeignKey("incident.id", name="fk_llm_call_incident_id"), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("model", "llm", "purpose")),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("tokens_in", "tokens_out", "tokens_cache_read", "tokens_cache_written")
        ),
        sa.Column("dollars", sa.Float(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("outcome", "request_id")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("asked_wall_ms", "time_ms")),
    )
    op.create_index("ix_llm_call_model_asked", "llm_call", ["model", "asked_wall_ms"])
