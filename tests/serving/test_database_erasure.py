"""Erasing accounts from the operational database: whatever has rows of them, and nothing of others."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa

from serving.database.engine import reading, writing
from serving.database.erasure import erase
from serving.database.tables import METADATA, Moment, audit_log

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OF_ACCOUNTS = [table for table in METADATA.sorted_tables if "account_id" in table.columns]


def value(column, account):
    if isinstance(column.type, Moment):
        return NOON
    return {str: f"{column.name} of {account}", bytes: b"", float: 1.0, int: 1}[column.type.python_type]


def row(table, account):
    """A row of the account, every column filled."""
    filled = {column.name: value(column, account) for column in table.columns if column.name != "position"}
    return filled | {"account_id": account}


def accounts_in(engine, table):
    with reading(engine) as connection:
        return sorted(connection.execute(sa.select(table.c.account_id)).scalars())


def test__erase__removes_every_row_of_these_accounts_and_of_no_other(database):
    with writing(database) as connection:
        for table in OF_ACCOUNTS:
            connection.execute(sa.insert(table), [row(table, account) for account in ("gone", "merged", "stays")])
    removed = erase(database, ["gone", "merged"], NOON)
    assert removed == {table.name: 2 for table in OF_ACCOUNTS}
    assert {table.name: accounts_in(database, table) for table in OF_ACCOUNTS} == {
        table.name: ["stays"] for table in OF_ACCOUNTS
    }
    with reading(database) as connection:
        (act,) = connection.execute(sa.select(audit_log))
    assert (act.at, act.action, json.loads(act.detail)) == (NOON, "account_forgotten", removed)
    assert "gone" not in str(act)


def test__erase__of_an_account_without_rows__removes_nothing(database):
    assert erase(database, ["nobody"], NOON) == {}
