"""Goals: what people asked for, and what it was compiled to.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of goals."""
    op.create_table(
        "goal",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("model", sa.Text()),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("objective", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("state", "proposed_by", "approved_by", "retired_by")),
        sa.Column("proposed_ms", sa.BigInteger(), nullable=False),
        sa.Column("approved_ms", sa.BigInteger()),
        sa.Column("retired_ms", sa.BigInteger()),
    )
    op.create_index("ix_goal_model_state", "goal", ["model", "state"])
