"""The operational database: made by migrations, the same on SQLite and PostgreSQL, and clear about why it cannot be used."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from serving.database.audit_log import verify
from serving.database.engine import DatabaseUnavailable, opened, reading, writing
from serving.database.tables import METADATA, audit_log, event_inbox, score_history
from serving.database.upgrade import check_current, upgrade

NOON = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def act(**changed):
    return {"at": NOON, "actor": "test", "action": "tried", "subject": "a", "detail": None, "hash": "h"} | changed


def test__migrations__make_exactly_the_tables_that_are_declared(empty_database):
    engine = opened(empty_database)
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test__upgrade__of_a_filled_database__loses_no_row_and_can_be_repeated(empty_database):
    engine = opened(empty_database)
    upgrade(engine, "0001")
    with writing(engine) as connection:
        acts = [act(subject=str(number), detail='{"one": 1}') for number in range(100)]
        connection.execute(sa.insert(audit_log), [{name: one[name] for name in one if name != "hash"} for one in acts])
    with pytest.raises(DatabaseUnavailable, match="is at revision 0001"):
        check_current(engine)
    upgrade(engine)
    upgrade(engine)
    check_current(engine)
    with reading(engine) as connection:
        found = connection.execute(sa.select(audit_log.c.subject).order_by(audit_log.c.position)).scalars().all()
    assert found == [str(number) for number in range(100)]
    assert (verify(engine).acts, verify(engine).broken_at) == (100, None), "what was there begins the chain"
    engine.dispose()


def test__a_database_without_tables__is_said_to_have_none(empty_database):
    with pytest.raises(DatabaseUnavailable, match="has no tables yet"):
        check_current(opened(empty_database))


def test__a_moment__comes_back_in_utc_to_the_microsecond_whatever_its_offset(database):
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9, minutes=30)))
    with writing(database) as connection:
        connection.execute(sa.insert(audit_log).values(act(at=elsewhere)))
    with reading(database) as connection:
        found = connection.execute(sa.select(audit_log.c.at)).scalar_one()
    assert found == NOON
    assert found.tzinfo == UTC


def test__a_naive_moment__is_refused(database):
    with pytest.raises(sa.exc.StatementError, match="has no timezone"), writing(database) as connection:
        connection.execute(sa.insert(audit_log).values(act(at=NOON.replace(tzinfo=None))))


def test__moments__are_ordered_and_compared_as_moments(database):
    rows = [
        {"account_id": "a", "target": "churn", "as_of": NOON + timedelta(days=day), "model_version": "1"}
        for day in (3, 1, 2)
    ]
    with writing(database) as connection:
        connection.execute(sa.insert(score_history), rows)
    later = (
        sa.select(score_history.c.as_of)
        .where(score_history.c.as_of > NOON + timedelta(days=1))
        .order_by(score_history.c.as_of)
    )
    with reading(database) as connection:
        assert connection.execute(later).scalars().all() == [NOON + timedelta(days=2), NOON + timedelta(days=3)]


def test__one_event_posted_twice__is_one_row_or_an_integrity_error(database):
    row = {
        "account_id": "a",
        "stream": "purchases",
        "event_id": "1",
        "occurred_at": NOON,
        "known_at": NOON,
        "received_at": NOON,
        "row": "{}",
    }
    with writing(database) as connection:
        connection.execute(sa.insert(event_inbox).values(row))
    with pytest.raises(sa.exc.IntegrityError), writing(database) as connection:
        connection.execute(sa.insert(event_inbox).values(row))


def test__a_transaction_that_raises__leaves_nothing(database):
    with pytest.raises(sa.exc.IntegrityError), writing(database) as connection:
        connection.execute(sa.insert(audit_log), [act(), act(subject=None)])
    with reading(database) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(audit_log)).scalar_one() == 0


def test__a_locked_database__is_unavailable_after_the_wait_and_then_recovers(tmp_path):
    url = f"sqlite:///{tmp_path}/operational.db"
    holder, other = opened(url), opened(url, wait_seconds=0.1)
    upgrade(holder)
    with writing(holder) as connection:
        connection.execute(sa.insert(audit_log).values(act()))
        with pytest.raises(DatabaseUnavailable, match="locked"), writing(other):
            pass
        with reading(other) as reader:
            assert reader.execute(sa.select(audit_log)).all() == [], "a reader never waits for a writer"
    with writing(other) as connection:
        connection.execute(sa.insert(audit_log).values(act()))


def test__a_server_that_is_not_there__is_unavailable_and_its_password_unsaid():
    engine = opened("postgresql+psycopg://me:secret@127.0.0.1:1/foresail", wait_seconds=0.5)
    with pytest.raises(DatabaseUnavailable, match=r"me:\*\*\*@127\.0\.0\.1") as told, reading(engine):
        pass
    assert "secret" not in str(told.value)
