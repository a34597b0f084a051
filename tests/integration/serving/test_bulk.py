"""Rows in bulk are the rows that one statement after the other would have left, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from serving.database.bulk import add, put, remove
from serving.database.engine import DatabaseUnavailable, reading, writing
from serving.database.tables import account_states, score_history

NIGHT = datetime(2026, 3, 1, 4, 5, 6, 123456, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")


def rows(accounts, answers, version="1"):
    count = len(accounts)
    return pa.table(
        {
            "account_id": pa.array(accounts),
            "target": pa.array(["churn"] * count).dictionary_encode(),
            "as_of": pa.array([NIGHT] * count, TIME),
            "answer": pa.array(answers, pa.float64()),
            "band": pa.array(["low", None][:count] + ["high"] * (count - 2)).dictionary_encode(),
            "model_version": pa.array([version] * count),
        }
    )


def stored(database):
    with reading(database) as connection:
        return connection.execute(sa.select(score_history).order_by(score_history.c.account_id)).mappings().all()


def test__add__rows_with_gaps_quotes_and_odd_numbers__are_stored_bit_for_bit(database):
    odd = [0.1 + 0.2, np.nan, 1e-300]
    with writing(database) as connection:
        add(connection, score_history, rows(['with "quotes", and\nlines', "empty", "账户"], odd))
    found = {row["account_id"]: dict(row) for row in stored(database)}
    assert found['with "quotes", and\nlines'] == {
        "account_id": 'with "quotes", and\nlines', "target": "churn", "as_of": NIGHT, "answer": 0.1 + 0.2,
        "percentile": None, "band": "low", "model_version": "1",
    }  # fmt: skip
    with reading(database) as connection:
        of_the_night = sa.select(sa.func.count()).where(score_history.c.as_of == NIGHT)
        assert connection.execute(of_the_night).scalar_one() == 3
    assert found["empty"]["answer"] is None
    assert found["empty"]["band"] is None
    assert found["账户"]["answer"] == 1e-300


def test__put__rows_that_are_there__take_their_place_and_others_stay(database):
    with writing(database) as connection:
        add(connection, score_history, rows(["a", "b"], [0.1, 0.2]))
    for _ in range(2):
        with writing(database) as connection:
            put(connection, score_history, rows(["b", "c"], [0.3, 0.4], version="2"))
    assert [(row["account_id"], row["answer"], row["model_version"]) for row in stored(database)] == [
        ("a", 0.1, "1"), ("b", 0.3, "2"), ("c", 0.4, "2"),
    ]  # fmt: skip


def test__put__an_account_with_rows_of_other_keys__has_the_new_ones_alone(database):
    with writing(database) as connection:
        add(connection, score_history, rows(["a", "b"], [0.1, 0.2]))
        other = rows(["a", "a"], [0.3, 0.4])
        put(connection, score_history, other.set_column(1, "target", pa.array(["upsell", "contraction"])))
    found = [(row["account_id"], row["target"], row["answer"]) for row in stored(database)]
    assert sorted(found) == [("a", "contraction", 0.4), ("a", "upsell", 0.3), ("b", "churn", 0.2)]


def test__put__not_yet_committed__others_read_what_was_there(database):
    """Whoever asks for an account while a night loads finds its score, the old one or the new one."""
    with writing(database) as connection:
        add(connection, score_history, rows(["a", "b"], [0.1, 0.2]))
    with writing(database) as connection:
        put(connection, score_history, rows(["a", "b"], [0.3, 0.4]))
        assert [row["answer"] for row in stored(database)] == [0.1, 0.2]
    assert [row["answer"] for row in stored(database)] == [0.3, 0.4]


def test__add__chunks_and_slices_of_every_type__are_stored_bit_for_bit(database):
    moments = [datetime(1931, 2, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), NIGHT]
    whole = pa.table(
        {
            "account_id": pa.array(["a", "b", "c"]),
            "bucket": pa.array([-1, 0, 2**31 - 1], pa.int64()),
            "first_known": pa.array(moments, TIME),
            "as_of": pa.array(moments, TIME).dictionary_encode(),
            "state": pa.array([b"", bytes(range(256)), b"\xff\xff\xff\xff"], pa.binary()),
        }
    )
    with writing(database) as connection:
        add(connection, account_states, pa.concat_tables([whole.slice(1), whole.slice(0, 1)]))
    with reading(database) as connection:
        found = connection.execute(sa.select(account_states).order_by(account_states.c.account_id)).mappings().all()
    assert [dict(row) for row in found] == whole.to_pylist()


def test__remove__more_accounts_than_a_statement_has_parameters__takes_theirs_and_what_was_asked(database):
    with writing(database) as connection:
        add(connection, score_history, rows(["a", "b", "c"], [0.1, 0.2, 0.3]))
        many = [f"nobody {number}" for number in range(70_000)]
        remove(connection, score_history, [*many, "a", "b"], score_history.c.answer > 0.1)
    assert [row["account_id"] for row in stored(database)] == ["a", "c"]


def test__add__nothing__does_nothing(database):
    with writing(database) as connection:
        add(connection, score_history, rows(["a", "b"], [0.1, 0.2]).slice(0, 0))
    assert stored(database) == []


def test__add__a_key_that_is_there__adds_nothing_at_all(database):
    with writing(database) as connection:
        add(connection, score_history, rows(["a", "b"], [0.1, 0.2]))
    with pytest.raises(Exception, match=r"(?i)unique"), writing(database) as connection:
        add(connection, score_history, rows(["c", "a"], [0.1, 0.2]))
    assert [row["account_id"] for row in stored(database)] == ["a", "b"]


def test__add__to_a_database_that_may_only_be_read__is_said_to_be_unusable(database):
    with pytest.raises(DatabaseUnavailable, match=r"(?i)read-?only"):
        add_read_only(database)


def add_read_only(database):
    with writing(database) as connection:
        read_only = "pragma query_only = on" if database.dialect.name == "sqlite" else "set transaction read only"
        connection.exec_driver_sql(read_only)
        add(connection, score_history, rows(["a", "b"], [0.1, 0.2]))
