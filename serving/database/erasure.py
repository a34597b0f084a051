"""Erasing accounts from the operational database."""

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from serving.database.engine import writing
from serving.database.tables import METADATA, audit_log


def erase(engine: sa.Engine, account_ids: Sequence[str], at: datetime) -> dict[str, int]:
    """Remove every row of these accounts, in one transaction: how many, by table. The audit log says that it was done, not of whom.

    An SQLite file holds nothing of them afterwards; PostgreSQL writes over what was deleted when it vacuums. What is
    posted of them later is turned away by the next night, because the history remembers whom it forgot.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("pragma secure_delete = on")
        removed = {table.name: _removed(connection, table, account_ids) for table in _of_accounts()}
        found = {table: rows for table, rows in removed.items() if rows}
        connection.execute(sa.insert(audit_log).values(_act(found, at)))
    if engine.dialect.name == "sqlite":
        _empty_log(engine)
    return found


def _empty_log(engine: sa.Engine) -> None:
    """What SQLite has written but not yet brought into its file, where older states of rows stand."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("pragma wal_checkpoint(truncate)")
    finally:
        connection.close()


def _of_accounts() -> list[sa.Table]:
    """Every table with rows of accounts, those to come included."""
    return [table for table in METADATA.sorted_tables if "account_id" in table.columns]


def _removed(connection: sa.Connection, table: sa.Table, account_ids: Sequence[str]) -> int:
    return connection.execute(sa.delete(table).where(table.c.account_id.in_(account_ids))).rowcount


def _act(removed: dict[str, int], at: datetime) -> dict[str, object]:
    return {
        "at": at,
        "actor": "foresail forget",
        "action": "account_forgotten",
        "subject": "an account",
        "detail": json.dumps(removed),
    }
