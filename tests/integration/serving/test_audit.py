"""The audit log: a chain that shows whatever was done to it, and that the database itself protects."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from serving.database.audit_log import BEGINNING, Act, append, hash_of, verify
from serving.database.engine import writing
from serving.database.tables import audit_log

NOON = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def act(subject="i1", **detail):
    return Act(NOON, "Ada", "intervention_claimed", subject, detail or None)


def written(database, *acts):
    with writing(database) as connection:
        append(connection, acts)


def unprotected(database, statement):
    """What somebody does who may alter the tables themselves."""
    with database.begin() as connection:
        if database.dialect.name == "sqlite":
            connection.exec_driver_sql("drop trigger audit_log_no_update")
            connection.exec_driver_sql("drop trigger audit_log_no_delete")
        else:
            connection.exec_driver_sql("drop trigger audit_log_no_change on audit_log")
        connection.execute(statement)


def test__chain__of_acts_written_together_and_apart__is_whole(database):
    written(database, act("i1", owner="Jürgen"), act("i2"))
    written(database, act("i3"))
    found = verify(database)
    assert (found.acts, found.broken_at) == (3, None)


def test__hash__of_a_known_act__is_the_known_one():
    """So that a log can be followed by who has nothing but the rule."""
    said = hash_of(BEGINNING, NOON, "Ada", "intervention_claimed", "i1", '{"from": "assigned"}')
    assert said == "5f4dbabf1213a31e0f7d2353508af955bce204a3c68059dacee30a1aa852fc4a"


@pytest.mark.parametrize("column", ["at", "actor", "action", "subject", "detail"])
def test__an_act_that_was_altered__breaks_the_chain_there(database, column):
    written(database, act("i1"), act("i2"), act("i3"))
    other = datetime(2020, 1, 1, tzinfo=UTC) if column == "at" else "other"
    second = sa.select(sa.func.min(audit_log.c.position) + 1).scalar_subquery()
    unprotected(database, sa.update(audit_log).where(audit_log.c.position == second).values({column: other}))
    found = verify(database)
    assert (found.acts, found.broken_at) == (1, 2)


def test__an_act_that_was_removed__breaks_the_chain_after_it(database):
    written(database, act("i1"), act("i2"), act("i3"))
    unprotected(database, sa.delete(audit_log).where(audit_log.c.subject == "i2"))
    assert verify(database).broken_at == 3


def test__head__tells_that_the_end_was_cut_off(database):
    written(database, act("i1"), act("i2"))
    head = verify(database).head
    written(database, act("i3"))
    assert verify(database, head).is_whole, "an earlier head is still in the chain"
    unprotected(database, sa.delete(audit_log).where(audit_log.c.subject != "i1"))
    assert verify(database).is_whole
    assert not verify(database, head).is_whole


@pytest.mark.parametrize("statement", [sa.update(audit_log).values(actor="me"), sa.delete(audit_log)])
def test__who_may_write_rows__cannot_edit(database, statement):
    written(database, act())
    with pytest.raises(sa.exc.DBAPIError, match="only ever added to"), database.begin() as connection:
        connection.execute(statement)
    assert verify(database).acts == 1


def test__sqlite__who_may_write_rows__cannot_replace(database):
    if database.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no insert or replace")
    written(database, act(), act())
    replaced = (
        sa.insert(audit_log)
        .prefix_with("or replace")
        .from_select([*audit_log.c.keys()], sa.select(audit_log).where(audit_log.c.position == 1))
    )
    with pytest.raises(sa.exc.DBAPIError, match="only ever added to"), database.begin() as connection:
        connection.execute(replaced)
    assert verify(database).acts == 2


def test__many_writers_at_once__make_one_chain(database):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: written(database, act(f"i{number}")), range(20)))
    found = verify(database)
    assert (found.acts, found.broken_at) == (20, None)
