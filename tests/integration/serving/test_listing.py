"""Lists of accounts: pages together are the whole, in order, whatever happens to others meanwhile."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.accounts.listing import DESCENDING, Listing, count, page, risks_of
from serving.database.engine import reading, writing
from serving.database.tables import account_segments, scores

NIGHT = datetime(2026, 3, 1, tzinfo=UTC)
EMPTY = {column.name: None for column in account_segments.columns}
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

VALUES = st.none() | st.sampled_from([-1.0, 0.0, 0.1, 0.1 + 0.2, 1e300, 5e-324]) | st.floats(0, 100)
WORDS = st.none() | st.sampled_from(["north", "south", "Süd", "a b", ""])
ACCOUNTS = st.lists(
    st.fixed_dictionaries(
        {"value_at_stake": VALUES, "value": VALUES, "health": VALUES, "name": WORDS, "region": WORDS, "owner": WORDS}
    ),
    max_size=30,
)


def fill(engine, accounts):
    rows = [EMPTY | {"account_id": f"A{number}", "as_of": NIGHT} | row for number, row in enumerate(accounts)]
    with writing(engine) as connection:
        connection.execute(sa.delete(account_segments))
        if rows:
            connection.execute(sa.insert(account_segments), rows)
    return rows


def walk(engine, listing, limit, between=lambda: None):
    """All accounts of a listing, page by page, each page asked for by itself."""
    after, found = None, []
    while True:
        with reading(engine) as connection:
            rows, after = page(connection, listing, limit, after)
        found += rows
        assert len(rows) == limit or after is None
        if after is None:
            return found
        between()


@pytest.mark.parametrize("sort", DESCENDING)
@given(
    accounts=ACCOUNTS,
    limit=st.integers(1, 9),
    descending=st.booleans(),
    regions=st.none() | st.lists(WORDS.filter(bool), min_size=1),
)
@FEW
def test__pages__one_after_the_other__are_the_whole_in_order(database, sort, accounts, limit, descending, regions):
    rows = fill(database, accounts)
    listing = Listing({"region": regions} if regions else {}, sort, descending)
    found = walk(database, listing, limit)
    expected = [row for row in rows if not regions or row["region"] in regions]
    assert sorted(row.account_id for row in found) == sorted(row["account_id"] for row in expected)
    filled = [row for row in found if getattr(row, sort) is not None]
    assert found[: len(filled)] == filled
    if sort != "name":  # the database decides how words are sorted
        key = [(getattr(row, sort), row.account_id) for row in filled]
        assert key == sorted(key, reverse=descending)
    with reading(database) as connection:
        assert count(connection, listing) == len(expected)


def test__pages__while_other_accounts_come_go_and_move__show_each_that_stays_once(database):
    stays = [{"value_at_stake": float(number // 3)} for number in range(60)]
    fill(database, stays)
    changes = iter(range(1000))

    def change():
        number = next(changes)
        moving = EMPTY | {"account_id": f"B{number}", "as_of": NIGHT, "value_at_stake": 10.5}
        with writing(database) as connection:
            connection.execute(sa.insert(account_segments), [moving])
            connection.execute(sa.delete(account_segments).where(account_segments.c.account_id == f"B{number - 3}"))
            connection.execute(
                sa.update(account_segments)
                .where(account_segments.c.account_id == f"B{number - 1}")
                .values(value_at_stake=0.5)
            )

    found = [row.account_id for row in walk(database, Listing({}, "value_at_stake", True), 7, change)]
    staying = [account for account in found if account.startswith("A")]
    assert len(staying) == len(set(staying)) == 60


def test__filters__any_of_the_words_of_each_column_and_all_columns(database):
    fill(
        database,
        [{"region": region, "owner": owner} for region in ("north", "south", None) for owner in ("Ada", "Ben")],
    )
    listing = Listing({"region": ["north", "south"], "owner": ["Ben"]}, "value", True)
    assert [(row.region, row.owner) for row in walk(database, listing, 10)] == [("south", "Ben"), ("north", "Ben")]


def test__risks__are_the_scores_that_have_a_severity(database):
    score = {column.name: None for column in scores.columns} | {
        "account_id": "A", "as_of": NIGHT, "horizon_days": 90, "model": "m", "model_version": "1",
    }  # fmt: skip
    rows = [score | {"target": "upsell"}, score | {"target": "churn", "severity": "high", "probability": 0.5}]
    with writing(database) as connection:
        connection.execute(sa.insert(scores), rows)
        assert {key: [row.target for row in found] for key, found in risks_of(connection, ["A", "B"]).items()} == {
            "A": ["churn"]
        }
