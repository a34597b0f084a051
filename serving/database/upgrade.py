"""Bringing the operational database to the tables that this installation knows, without losing a row."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from serving.database.engine import UPGRADE, DatabaseUnavailable, available, shown

KEY = 7310603068093065
"""Of the lock; no other of Foresail's has it."""
MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(engine: sa.Engine, to: str = "head") -> None:
    """Run the migrations that the database has not seen yet, all in one transaction; nothing to do is no error."""
    with available(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # Of two that start at once one waits; SQLite lets only one begin.
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({KEY})")
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def check_current(engine: sa.Engine) -> None:
    """DatabaseUnavailable unless the tables are those that this installation knows."""
    with available(engine), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != head():
        state = "has no tables yet" if found is None else f"is at revision {found}, this installation knows {head()}"
        raise DatabaseUnavailable(f"the database {shown(engine.url)} {state}; {UPGRADE}")


def head() -> str:
    """The revision of the newest migration."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    # Alembic reads % as the beginning of a variable.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
