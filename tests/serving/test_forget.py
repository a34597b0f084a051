"""After forget nothing in the operational database names an account; what the others have stays."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.identities import fingerprint_of
from serving.database.engine import DatabaseUnavailable, opened, reading, writing
from serving.database.forget import ANSWER_GONE, forget
from serving.database.tables import METADATA, audit_log, idempotency_keys

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GONE, STAYS = "Müller & Söhne", "Müller"
VALUES = {sa.Text: "x", sa.Integer: 1, sa.Float: 1.0, sa.LargeBinary: b"x"}


def row_of(table, account):
    """A row with something in every column that must be filled; `account` where one is named."""
    filled = {
        column.name: next((value for kind, value in VALUES.items() if isinstance(column.type, kind)), NOON)
        for column in table.c
        if not column.nullable and column.name != "position"
    }
    return filled | {name: account for name in ("account_id", "subject", "intervention_id") if name in table.c}


def fill(engine, account):
    with writing(engine) as connection:
        for table in METADATA.sorted_tables:
            if "account_id" in table.c or table is audit_log:
                connection.execute(sa.insert(table).values(row_of(table, account)))
        kept = row_of(idempotency_keys, account) | {"key": account[::-1], "answer": json.dumps({"accounts": [account]})}
        connection.execute(sa.insert(idempotency_keys).values(kept))


def everything(engine):
    with reading(engine) as connection:
        return {table.name: connection.execute(sa.select(table)).mappings().all() for table in METADATA.sorted_tables}


def test__forget__every_table_that_has_accounts__loses_theirs_and_no_other(database):
    fill(database, GONE)
    fill(database, STAYS)
    before = everything(database)
    removed = forget(database, [GONE, "merged into it"])
    after = everything(database)
    for table in METADATA.sorted_tables:
        if "account_id" in table.c:
            assert removed[table.name] == 1
            assert after[table.name] == [row for row in before[table.name] if row["account_id"] == STAYS]
    assert GONE not in repr(after)
    assert json.dumps(GONE)[1:-1] not in repr(after)
    assert forget(database, [GONE]) == {}


def test__forget__acts_stay_in_the_audit_log_under_the_fingerprint(database):
    """That something was done must stay provable; to whom, only for who still knows the id."""
    detail = json.dumps({"account_id": GONE, "events": 3})
    with writing(database) as connection:
        rows = [{"at": NOON, "actor": "key", "action": "events_posted", "subject": GONE, "detail": detail},
                {"at": NOON, "actor": "key", "action": "events_posted", "subject": STAYS, "detail": None}]  # fmt: skip
        connection.execute(sa.insert(audit_log), rows)
    forget(database, [GONE])
    assert {(row["action"], row["subject"], row["detail"]) for row in everything(database)["audit_log"]} == {
        ("events_posted", fingerprint_of(GONE), None),
        ("events_posted", STAYS, None),
    }


def test__forget__account_5__is_not_meant_by_5_events(database):
    with writing(database) as connection:
        kept = {"at": NOON, "actor": "key", "action": "events_posted", "subject": "15", "detail": '{"events": 5}'}
        connection.execute(sa.insert(audit_log).values(kept))
    assert forget(database, ["5"]) == {}


@pytest.mark.parametrize("ascii_only", [True, False])
def test__forget__an_answer_that_names_it__is_replaced_and_its_request_still_known(database, ascii_only):
    answer = json.dumps({"accepted": [{"account_id": GONE}]}, ensure_ascii=ascii_only)
    with writing(database) as connection:
        for key, told in (("1", answer), ("2", json.dumps([STAYS]))):
            connection.execute(
                sa.insert(idempotency_keys).values(row_of(idempotency_keys, GONE) | {"key": key, "answer": told})
            )
    assert forget(database, [GONE]) == {"idempotency_keys": 1}
    assert {row["key"]: row["answer"] for row in everything(database)["idempotency_keys"]} == {
        "1": ANSWER_GONE,
        "2": json.dumps([STAYS]),
    }


def test__forget__sqlite__leaves_no_byte_of_it_in_the_files(database):
    """Deleted rows stay in free pages and in the log until both are written anew."""
    if database.dialect.name != "sqlite":
        pytest.skip("PostgreSQL writes its files anew by itself")
    fill(database, "unmistakable-id")
    fill(database, STAYS)
    forget(database, ["unmistakable-id"])
    folder = Path(database.url.database).parent
    assert not [path for path in folder.iterdir() if b"unmistakable-id" in path.read_bytes()]


def test__forget__sqlite__somebody_reads_what_was_there_before__is_told_and_another_call_does_the_rest(tmp_path):
    """As long as a reader needs the old pages, SQLite cannot let go of them."""
    url = f"sqlite:///{tmp_path}/operational.db"
    reader, other = opened(url), opened(url, wait_seconds=0.1)
    METADATA.create_all(reader)
    fill(reader, "unmistakable-id")
    with reading(reader) as connection:
        connection.execute(sa.select(audit_log)).all()
        with pytest.raises(DatabaseUnavailable, match=r"still to be found in its files.*do this again"):
            forget(other, ["unmistakable-id"])
    assert forget(other, ["unmistakable-id"]) == {}
    # The reader's connection is still open, as the service's are.
    assert not [path for path in tmp_path.iterdir() if b"unmistakable-id" in path.read_bytes()]


def test__forget__database_busy__is_told_and_can_be_asked_again(tmp_path):
    url = f"sqlite:///{tmp_path}/operational.db"
    holder, other = opened(url), opened(url, wait_seconds=0.1)
    METADATA.create_all(holder)
    fill(holder, GONE)
    with writing(holder), pytest.raises(DatabaseUnavailable, match="locked"):
        forget(other, [GONE])
    assert forget(other, [GONE])["scores"] == 1
