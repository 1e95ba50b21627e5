"""Who did it, of which incident, and seals: columns of the audit, with an index for each question that is asked of it.

Records of before keep their hashes: they are of version 1, whose rule doesn't know the new columns.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INDEXED = ("incident", "actor", "kind", "time_ms")
_REFUSE = """
CREATE FUNCTION driftwake_audit_refuses() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
"""


def upgrade() -> None:
    """Add columns and indexes; on PostgreSQL the audit refuses changes by itself from now on, as it does on SQLite."""
    op.add_column("audit", sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"))
    for name in ("actor", "incident", "key", "seal"):
        op.add_column("audit", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in _INDEXED:
        op.create_index(f"ix_audit_{name}", "audit", [name])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_REFUSE)
        call = "EXECUTE FUNCTION driftwake_audit_refuses()"
        op.execute(f"CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW {call}")
        op.execute(f"CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT {call}")
