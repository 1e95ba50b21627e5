"""Playbooks: what plans did well, and whether they may do it again without being asked for.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of playbooks."""
    op.create_table(
        "playbook",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("supported_by", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "approved_by")),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_wall_ms", sa.BigInteger()),
    )
    op.create_index("ix_playbook_model_state", "playbook", ["model", "state"])
