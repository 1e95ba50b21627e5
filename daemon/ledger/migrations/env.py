"""Run by Alembic: migrate over the connection that `engine.py` opened."""

from __future__ import annotations

from alembic import context

from daemon.ledger.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
