"""What tests do to ledgers from outside, past their own means."""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine

from daemon.ledger.engine import MIGRATIONS, url_of

Tamper = Callable[..., None]


def tamper(place: str, *statements: str) -> None:
    """Run statements as somebody who may do everything with the database."""
    engine = create_engine(url_of(place))
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            unbind = [f"DROP TRIGGER IF EXISTS audit_no_{change}" for change in ("update", "delete")]
        else:
            unbind = ["ALTER TABLE audit DISABLE TRIGGER USER"]
        for statement in (*unbind, *statements):
            connection.exec_driver_sql(statement)
    engine.dispose()


def migrate(engine: Engine, revision: str) -> None:
    """Bring a database to a version of the schema."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
