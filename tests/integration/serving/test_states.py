"""States of accounts follow the history bucket by bucket, whoever is killed in between."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from histories import AS_OF, busy_history
from storing import store

from features.engine.account_state import State
from features.history.erasure import forget
from features.history.store import History
from serving.accounts.states import refresh_states
from serving.database.engine import reading
from serving.database.tables import account_states, state_buckets

ACCOUNTS = {f"Konto {number}\t奶酪": busy_history(number) for number in range(12)}


def stored(engine):
    """{account_id: (bucket, first_known, as_of, state)}."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(account_states)).all()
    return {row.account_id: (row.bucket, row.first_known, row.as_of, row.state) for row in rows}


def first_known(rows):
    return min(row["known_at"] for own in rows.values() for row in own)


def test__refresh__of_a_history__writes_every_account_once(database, tmp_path):
    history = store(tmp_path, ACCOUNTS)
    steps = []
    refreshed = refresh_states(database, history, AS_OF, lambda *step: steps.append(step))
    found = stored(database)
    assert found.keys() == ACCOUNTS.keys()
    for account, (bucket, known, as_of, state) in found.items():
        assert (bucket, known, as_of) == (history.bucket_of(account), first_known(ACCOUNTS[account]), AS_OF)
        assert len(State(state).events("purchases")) == len(ACCOUNTS[account]["purchases"])
    assert (refreshed.buckets, refreshed.unchanged, refreshed.accounts) == (4, 0, 12)
    assert steps == [(done, 4, "states of accounts") for done in (1, 2, 3, 4)]


def test__refresh__nothing_changed__writes_nothing(database, tmp_path):
    history = store(tmp_path, ACCOUNTS)
    refresh_states(database, history, AS_OF)
    refreshed = refresh_states(database, history, AS_OF + timedelta(days=1))
    assert (refreshed.buckets, refreshed.unchanged, refreshed.accounts) == (0, 4, 0)
    assert {as_of for _, _, as_of, _ in stored(database).values()} == {AS_OF}


def test__refresh__an_account_forgotten__leaves_and_only_its_bucket_is_written(database, tmp_path):
    """Forgotten or merged away, an account goes with the next refresh; others keep the row they have."""
    history, gone = store(tmp_path, ACCOUNTS), next(iter(ACCOUNTS))
    refresh_states(database, history, AS_OF)
    forget(history, gone)
    refreshed = refresh_states(database, history, AS_OF + timedelta(days=1))
    found = stored(database)
    assert found.keys() == ACCOUNTS.keys() - {gone}
    assert refreshed.buckets == 1
    assert {own for own, _, as_of, _ in found.values() if as_of > AS_OF} <= {history.bucket_of(gone)}


def test__refresh__killed_after_a_bucket__goes_on_with_the_others(database, tmp_path):
    history = store(tmp_path, ACCOUNTS)

    def killed(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh_states(database, history, AS_OF, killed)
    assert 0 < len(stored(database)) < len(ACCOUNTS)
    assert refresh_states(database, history, AS_OF).buckets == 3
    assert stored(database).keys() == ACCOUNTS.keys()


def test__refresh__killed_within_a_bucket__leaves_the_bucket_as_it_was(database, tmp_path, monkeypatch):
    """A bucket is there whole or not at all, also for whoever reads meanwhile."""
    history = store(tmp_path / "before", ACCOUNTS)
    refresh_states(database, history, AS_OF)
    before = stored(database)
    more = {account: busy_history(number + 50) for number, account in enumerate(ACCOUNTS)}

    def half(connection, bucket, states, files, as_of):
        connection.execute(sa.delete(account_states))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("serving.accounts.states._write", half)
        with pytest.raises(KeyboardInterrupt):
            refresh_states(database, store(tmp_path / "after", more), AS_OF)
    assert stored(database) == before


def test__refresh__history_divided_into_fewer_buckets__leaves_no_rows_of_the_others(database, tmp_path):
    refresh_states(database, store(tmp_path / "four", ACCOUNTS, buckets=4), AS_OF)
    refresh_states(database, store(tmp_path / "two", ACCOUNTS, buckets=2), AS_OF)
    assert stored(database).keys() == ACCOUNTS.keys()
    with reading(database) as connection:
        assert sorted(connection.execute(sa.select(state_buckets.c.bucket)).scalars()) == [0, 1]


@pytest.mark.parametrize("buckets", [3, 6])
def test__refresh__history_divided_anew__moves_accounts_to_their_new_buckets(database, tmp_path, buckets):
    """With a number that is no divisor an account's new bucket may be written before its old one is emptied."""
    refresh_states(database, store(tmp_path / "four", ACCOUNTS, buckets=4), AS_OF)
    refresh_states(database, store(tmp_path / "anew", ACCOUNTS, buckets=buckets), AS_OF)
    assert stored(database).keys() == ACCOUNTS.keys()


def test__refresh__no_history_yet__is_no_error(database, tmp_path):
    assert refresh_states(database, History(tmp_path / "nowhere"), AS_OF).accounts == 0
    assert stored(database) == {}
