"""After forget nothing in the operational database names an account; what the others have stays."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from serving.database.audit_log import Act, append
from serving.database.engine import DatabaseUnavailable, open_engine, reading, writing
from serving.database.forget import ANSWER_GONE, forget
from serving.database.tables import METADATA, idempotency_keys

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GONE, STAYS = "Müller & Söhne", "Müller"
VALUES = {sa.Text: "x", sa.Integer: 1, sa.Float: 1.0, sa.LargeBinary: b"x", sa.Boolean: True}
OWN = ("account_id", "intervention_id", "message_id", "comment_id", "deadline_id")


def row_of(table, account):
    """A row with something in every column that must be filled; `account` where one is named."""
    filled = {
        column.name: next((value for kind, value in VALUES.items() if isinstance(column.type, kind)), NOON)
        for column in table.c
        if not column.nullable and column.name != "position"
    }
    return filled | {name: account for name in OWN if name in table.c}


def fill(engine, account):
    with writing(engine) as connection:
        for table in METADATA.sorted_tables:
            if "account_id" in table.c:
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


def test__forget__acts_stay_as_they_are(database):
    """They name no account, so that the chain can be followed afterwards."""
    with writing(database) as connection:
        append(connection, [Act(NOON, "key", "events_posted", "event_inbox", {"events": 3})])
    before = everything(database)["audit_log"]
    forget(database, [GONE])
    assert everything(database)["audit_log"] == before


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
    reader, other = open_engine(url), open_engine(url, wait_seconds=0.1)
    METADATA.create_all(reader)
    fill(reader, "unmistakable-id")
    with reading(reader) as connection:
        connection.execute(sa.select(idempotency_keys)).all()
        with pytest.raises(DatabaseUnavailable, match=r"still to be found in its files.*do this again"):
            forget(other, ["unmistakable-id"])
    assert forget(other, ["unmistakable-id"]) == {}
    # The reader's connection is still open, as the service's are.
    assert not [path for path in tmp_path.iterdir() if b"unmistakable-id" in path.read_bytes()]


def test__forget__database_busy__is_told_and_can_be_asked_again(tmp_path):
    url = f"sqlite:///{tmp_path}/operational.db"
    holder, other = open_engine(url), open_engine(url, wait_seconds=0.1)
    METADATA.create_all(holder)
    fill(holder, GONE)
    with writing(holder), pytest.raises(DatabaseUnavailable, match="locked"):
        forget(other, [GONE])
    assert forget(other, [GONE])["scores"] == 1
