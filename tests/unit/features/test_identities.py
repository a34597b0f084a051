"""Merging two accounts into one: everything moves, and nothing becomes known before it was."""

from datetime import UTC, datetime, timedelta

import pytest
from ingesting import bring, rows, source
from storing import store

from features.definitions import Feature, events
from features.engine.table import build_feature_table
from features.history import identities
from features.history.identities import IdentityError, fingerprint_of, merge
from features.history.store import History, HistoryError

ORDERS = [
    Feature("orders", events("purchases").count(), "", "", ""),
    Feature("amount", events("purchases").sum("amount"), "", "", ""),
]
JANUARY, JUNE, DECEMBER = (datetime(2020, month, 1, tzinfo=UTC) for month in (1, 6, 12))


def order(day, **more):
    moment = JANUARY + timedelta(days=day)
    return {"occurred_at": moment, "known_at": moment, "kind": "order", "amount": float(day)} | more


def company(root, **more):
    """Two ids of one account in different buckets, and a bystander in each bucket."""
    old, new = [order(1), order(9)], [order(5), order(200)]
    others = {f"bystander {number}": {"purchases": [order(3)]} for number in range(20)}
    history = store(
        root, others | {"former": {"purchases": old, "service": [case(2)]}, "new": {"purchases": new}} | more
    )
    assert history.bucket_of("former") != history.bucket_of("new")
    return history


def case(day):
    moment = JANUARY + timedelta(days=day)
    return {"occurred_at": moment, "known_at": moment, "kind": "opened", "case_id": "c"}


def of(history, account, stream="purchases"):
    """(day of occurred_at, day of known_at) of an account's rows, as stored."""
    table = identities.rows_of(history, stream, account, ["occurred_at", "known_at"])
    return [((row["occurred_at"] - JANUARY).days, (row["known_at"] - JANUARY).days) for row in table.to_pylist()]


def test__merge__two_accounts__all_rows_are_the_surviving_ones_known_from_the_merge_on(tmp_path):
    """Rows known later than the merge keep their own known_at; bystanders stay where they are."""
    history = company(tmp_path)
    merged = merge(history, "former", "new", JANUARY + timedelta(days=100))

    assert of(history, "new") == [(5, 5), (1, 100), (9, 100), (200, 200)]
    assert of(history, "new", "service") == [(2, 100)]
    assert of(history, "former") == of(history, "former", "service") == []
    assert (merged.moved, merged.duplicates) == ({"purchases": 2, "service": 1}, 0)
    assert all(of(history, f"bystander {number}") == [(3, 3)] for number in range(20))


def test__merge__as_of_before_it__sees_the_surviving_account_alone(tmp_path):
    """The joined history is a fact of later; until then the surviving account is what it was, bit for bit."""
    history = company(tmp_path)
    before = build_feature_table(history, [JUNE, DECEMBER], ORDERS)
    merge(history, "former", "new", DECEMBER - timedelta(days=1))
    after = build_feature_table(history, [JUNE, DECEMBER], ORDERS)

    assert after.loc[[("new", JUNE)]].equals(before.loc[[("new", JUNE)]])
    assert after.loc[("new", DECEMBER), "orders"] == 4
    assert before.loc[("new", DECEMBER), "orders"] == 2
    assert "former" not in after.index.get_level_values("account_id")


def test__merge__buckets_stay_in_canonical_order(tmp_path):
    """A reader that finds a bucket out of order has to sort it at every read."""
    history = company(tmp_path)
    merge(history, "former", "new", JUNE)
    for bucket in range(history.buckets):
        table = history.read("purchases", bucket, ["account_id", "known_at", "event_id"]).to_pylist()
        assert table == sorted(table, key=lambda row: (row["account_id"], row["known_at"]))
        assert len(history.snapshot("purchases").of(bucket)) == 1


def test__merge__equal_event_ids__the_first_in_canonical_order_stays_and_it_is_said(tmp_path):
    """(account_id, event_id) is unique, always."""
    same = {"former": {"purchases": [order(1, event_id="e")]}, "new": {"purchases": [order(5, event_id="e")]}}
    history = company(tmp_path, **same)
    merged = merge(history, "former", "new", JUNE)
    assert of(history, "new") == [(5, 5)]
    assert (merged.moved, merged.duplicates) == ({"purchases": 1}, 1)


def test__merge__killed_between_two_streams__asked_for_again_completes_it(tmp_path, monkeypatch):
    """The merge is noted first: the second run moves what is left, known from the moment first given."""
    history = company(tmp_path)
    replace = History.replace

    def killed_at_service(self, stream, *rest):
        if stream == "service":
            raise KeyboardInterrupt
        replace(self, stream, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(History, "replace", killed_at_service)
        with pytest.raises(KeyboardInterrupt):
            merge(history, "former", "new", JUNE)
    assert (of(history, "former"), of(history, "former", "service")) == ([], [(2, 2)])

    merged = merge(history, "former", "new", DECEMBER)
    assert (merged.known_at, merged.moved) == (JUNE, {"service": 1})
    assert of(history, "new", "service") == [(2, (JUNE - JANUARY).days)]


def test__merge__twice__changes_nothing_the_second_time(tmp_path):
    history = company(tmp_path)
    versions = merge(history, "former", "new", JUNE).versions
    again = merge(history, "former", "new", JUNE)
    assert (again.moved, again.versions) == ({}, versions)


def test__identities__chain_of_merges__leads_to_its_end_and_the_latest_moment(tmp_path):
    """Account a became b in December, though b was known to be c since June: a is c, as of December."""
    history = store(tmp_path, {name: {"purchases": [order(1)]} for name in "abc"})
    merge(history, "a", "b", DECEMBER)
    merge(history, "b", "c", JUNE)
    known = identities.identities(history)
    assert known.merged == {"a": ("c", DECEMBER), "b": ("c", JUNE)}
    assert known.absorbed_by("c") == ["a", "b"]
    assert of(history, "c") == [(1, 1), (1, (JUNE - JANUARY).days), (1, (DECEMBER - JANUARY).days)]


def test__identities__nothing_merged_or_erased__is_empty_and_writes_nothing(tmp_path):
    """A history without them costs nothing."""
    known = identities.identities(History(tmp_path / "history"))
    assert (known.merged, known.forgotten) == ({}, frozenset())
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize(
    ("absorbed", "into", "says"),
    [
        ("new", "new", "'new' cannot be merged into itself; name two accounts"),
        ("formed", "new", r"the history knows no account 'formed'; the nearest ids are 'former'"),
        ("former", "nwe", r"the history knows no account 'nwe'; the nearest ids are 'new'"),
        ("gone", "new", "'gone' was already merged into 'bystander 1'; use that id"),
        ("former", "gone", "'gone' was already merged into 'bystander 1'; use that id"),
    ],
)
def test__merge__impossible__says_which_id_and_why_and_writes_nothing(tmp_path, absorbed, into, says):
    history = company(tmp_path, gone={"purchases": [order(1)]})
    merge(history, "gone", "bystander 1", JUNE)
    versions = history.versions()
    with pytest.raises(IdentityError, match=says):
        merge(history, absorbed, into, JUNE)
    assert history.versions() == versions
    assert set(identities.identities(history).merged) == {"gone"}


def test__merge__back_again__is_no_cycle(tmp_path):
    """Once absorbed, an id names no account that could absorb another."""
    history = company(tmp_path)
    merge(history, "former", "new", JUNE)
    with pytest.raises(IdentityError, match="'former' was already merged into 'new'"):
        merge(history, "new", "former", JUNE)


def test__merge__naive_moment__is_refused_before_anything_is_written(tmp_path):
    history = company(tmp_path)
    with pytest.raises(ValueError, match="has no timezone"):
        merge(history, "former", "new", datetime(2020, 6, 1))  # noqa: DTZ001  that is the point
    assert identities.identities(history).merged == {}


def test__merge__while_another_writes__says_so(tmp_path):
    history = company(tmp_path)
    with history.lock(), pytest.raises(HistoryError, match="is being written by another"):
        merge(history, "former", "new", JUNE)


def test__ingest__same_file_after_a_merge__is_all_duplicates(tmp_path):
    """Rows are identified by what the source says, so a nightly full export does not double the absorbed account."""
    text = "account_id,occurred_at,amount,order_id\nformer,2010-01-01,5,1\nnew,2010-02-01,6,2\n"
    lines = source(tmp_path, text)
    bring(tmp_path, lines)
    history = History(tmp_path / "history", buckets=4)
    merge(history, "former", "new", datetime(2011, 1, 1, tzinfo=UTC))
    stored = rows(tmp_path)

    report = bring(tmp_path, lines)
    assert (report.read, report.kept, report.duplicates) == (2, 0, 2)
    later = source(tmp_path, text + "former,2010-03-01,7,3\nformer,2011-03-01,8,4\n")
    assert bring(tmp_path, later).kept == 2
    known = {row["amount"]: (row["account_id"], row["known_at"].year) for row in rows(tmp_path)}
    assert known == {5.0: ("new", 2011), 6.0: ("new", 2010), 7.0: ("new", 2011), 8.0: ("new", 2011)}
    assert [row for row in rows(tmp_path) if row["amount"] < 7] == stored


def test__fingerprint__any_text__equals_the_sql_function():
    """Ingest turns erased accounts away in SQL."""
    import duckdb

    for account in ["17850", "", "Café", "公司"]:
        assert duckdb.execute("select sha256(?)", [account]).fetchall() == [(fingerprint_of(account),)]
