"""Erasure of accounts from the operational database: rows of theirs go, and what else names them no longer does."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from serving.database.engine import DatabaseUnavailable, available, shown, unavailable, writing
from serving.database.tables import METADATA, idempotency_keys

ANSWER_GONE = json.dumps({"detail": "the answer that was given named an account that has been forgotten since"})
"""In the place of an answer that must be given again, so that its request is still not done twice."""


def forget(engine: sa.Engine, ids: Collection[str]) -> dict[str, int]:
    """Remove every trace of these accounts, in one transaction: how many rows of which table, those of none left out.

    What happened stays in the audit log, which names no account. Asked for again, it finds nothing.
    An SQLite file is then written anew without what it had freed; PostgreSQL does so by itself, in its own time.
    DatabaseUnavailable if the database cannot be used, and if somebody who is still reading an SQLite file keeps it from
    being written anew: the rows are gone then, and another call does the rest.
    """
    with writing(engine) as connection:
        overwrite_what_is_deleted(connection)
        removed = {
            table.name: connection.execute(sa.delete(table).where(table.c.account_id.in_(ids))).rowcount
            for table in METADATA.sorted_tables
            if "account_id" in table.c
        }
        removed["idempotency_keys"] = _scrub_answers(connection, ids)
    write_anew(engine)
    return {table: rows for table, rows in removed.items() if rows}


def _scrub_answers(connection: sa.Connection, ids: Collection[str]) -> int:
    named, keys = _naming(ids), idempotency_keys.c
    found = [row for row in connection.execute(sa.select(idempotency_keys)) if _names(named, row.answer)]
    for row in found:
        change = sa.update(idempotency_keys).where(keys.caller == row.caller, keys.key == row.key)
        connection.execute(change.values(answer=ANSWER_GONE))
    return len(found)


def _naming(ids: Collection[str]) -> re.Pattern[str]:
    """Finds any of the ids as a word of its own."""
    return re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in sorted(ids, key=len, reverse=True)))


def _names(named: re.Pattern[str], told: str) -> bool:
    """Whether a text that should be JSON names one of the ids in a word: account 5 is not meant by 5 events."""
    try:
        return any(map(named.search, _words(json.loads(told))))
    except json.JSONDecodeError:
        return named.search(told) is not None


def _words(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *_words(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


def overwrite_what_is_deleted(connection: sa.Connection) -> None:
    """From now on an SQLite file keeps no byte of a row that is deleted by this connection."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("pragma secure_delete = on")


def write_anew(engine: sa.Engine) -> None:
    """An SQLite file keeps what was deleted from it, in free pages and in its log, until both are written again.

    DatabaseUnavailable where that cannot be done, be it that somebody reads what was there before.
    """
    if engine.dialect.name != "sqlite":
        return
    with available(engine):
        kept = engine.raw_connection()
    try:
        kept.cursor().execute("vacuum")
        is_held, *_ = kept.cursor().execute("pragma wal_checkpoint(truncate)").fetchone()
    except engine.dialect.loaded_dbapi.Error as error:
        raise unavailable(engine, error) from error
    finally:
        kept.close()
    if is_held:
        raise DatabaseUnavailable(
            f"what was removed from {shown(engine.url)} is still to be found in its files, because another process reads what "
            "was there before: end it, or wait until it has read, and do this again"
        )
