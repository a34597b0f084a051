"""Posted rows: judged one by one, by the rules of ingest, and identified as ingest identifies them."""

import json
from datetime import UTC, datetime

import pytest
from ingesting import bring, rows, source

from features.history.ingest.validation import Bounds
from serving.accounts.checks import Checks
from serving.accounts.event_inbox import PostedEvent
from serving.api.event_rows import judge

NOW = datetime(2012, 1, 1, 12, tzinfo=UTC)
BOUNDS = Bounds(datetime(1970, 1, 1, tzinfo=UTC), NOW, "Europe/London")
ORDER = {"account_id": "A", "stream": "purchases", "occurred_at": "2011-07-01T10:00:00", "amount": 12.5}
MOVED = {"account_id": "A", "stream": "accounts", "owner": "Ada"}


@pytest.fixture(scope="module")
def checks():
    return Checks()


def one(checks, row, bounds=BOUNDS):
    (verdict,) = judge([row], checks, bounds)
    return verdict


def test__a_good_row__is_kept_in_utc_with_defaults_filled_and_nothing_else(checks):
    """Known is what was posted when it was posted; a naive time is local; what is absent is left out."""
    event = one(checks, ORDER | {"account_id": " A ", "quantity": None})
    assert (event.account_id, event.stream, event.known_at) == ("A", "purchases", NOW)
    assert event.occurred_at == datetime(2011, 7, 1, 9, tzinfo=UTC)
    assert json.loads(event.row) == {
        "account_id": "A", "occurred_at": "2011-07-01T09:00:00.000000+00:00", "known_at": "2012-01-01T12:00:00.000000+00:00",
        "kind": "order", "amount": 12.5, "event_id": event.event_id,
    }  # fmt: skip


def test__a_row_without_event_id__has_the_id_that_ingest_gives_the_same_row(checks, tmp_path):
    """What a CRM posts today and the ERP exports tonight is one order."""
    event = one(checks, ORDER)
    text = "account_id,occurred_at,amount\nA,2011-07-01T10:00:00,12.5\n"
    bring(tmp_path, source(tmp_path, text), timezone="Europe/London")
    assert [row["event_id"] for row in rows(tmp_path)] == [event.event_id]


def test__the_same_row_at_another_time__is_the_same_event(checks):
    later = Bounds(BOUNDS.earliest, datetime(2013, 1, 1, tzinfo=UTC), BOUNDS.timezone)
    assert one(checks, ORDER).event_id == one(checks, ORDER, later).event_id


def test__an_attribute_without_time__holds_from_now_on_and_is_another_event_at_another_time(checks):
    """Ada, then Ben, then Ada again: the third row must not be taken for the first."""
    later = Bounds(BOUNDS.earliest, datetime(2013, 1, 1, tzinfo=UTC), BOUNDS.timezone)
    event = one(checks, MOVED)
    assert (event.occurred_at, event.known_at) == (NOW, NOW)
    assert event.event_id != one(checks, MOVED, later).event_id


def test__an_attribute_with_its_time__is_one_event_whenever_it_is_posted(checks):
    later = Bounds(BOUNDS.earliest, datetime(2013, 1, 1, tzinfo=UTC), BOUNDS.timezone)
    row = MOVED | {"occurred_at": "2011-01-01"}
    first, second = one(checks, row), one(checks, row, later)
    assert first.event_id == second.event_id
    assert (first.occurred_at, first.known_at) == (datetime(2011, 1, 1, tzinfo=UTC), NOW)


def test__a_stated_known_at__is_kept(checks):
    event = one(checks, ORDER | {"known_at": "2011-07-02T00:00:00Z", "event_id": "e1"})
    assert (event.known_at, event.event_id) == (datetime(2011, 7, 2, tzinfo=UTC), "e1")


BAD = [
    (5, "the row: ", "#/events/0"),
    ({"account_id": "A"}, "stream: Field required", "#/events/0/stream"),
    ({"stream": ["purchases"]}, "stream: Input should be 'purchases'", "#/events/0/stream"),
    (ORDER | {"stream": "orders"}, "stream: Input should be 'purchases'", "#/events/0/stream"),
    (ORDER | {"amount": "12"}, "amount: Input should be a valid number", "#/events/0/amount"),
    (ORDER | {"amount": 10**400}, "amount: Input should be", "#/events/0/amount"),
    (ORDER | {"amont": 1}, "there is no 'amont' here; did you mean 'amount'?", "#/events/0/amont"),
    (ORDER | {"account_id": ""}, "account_id: String should have at least 1", "#/events/0/account_id"),
    (ORDER | {"account_id": "a\0b"}, "account_id: String should match", "#/events/0/account_id"),
    (ORDER | {"channel": "a\ud800"}, "channel: Input should be a valid string", "#/events/0/channel"),
    (ORDER | {"account_id": "null"}, "account_id is missing: 'null'", "#/events/0"),
    (ORDER | {"occurred_at": "1.7.2011"}, "occurred_at is not a time: '1.7.2011'", "#/events/0"),
    (ORDER | {"occurred_at": "2012-01-01T12:00:00.000001Z"}, "occurred_at lies after 2012-01-01 12:00:00+00:00", "#/events/0"),
    (ORDER | {"known_at": "2012-02-01"}, "known_at lies after", "#/events/0"),
    (ORDER | {"known_at": "2011-06-01"}, "known_at is before occurred_at", "#/events/0"),
    (ORDER | {"occurred_at": "9999-12-31T23:59:59-12:00"}, "occurred_at lies after", "#/events/0"),
    (MOVED | {"opted_out": "maybe"}, "opted_out must be one of yes, no", "#/events/0"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "words", "pointer"), BAD, ids=range(len(BAD)))
def test__a_bad_row__is_refused_with_reason_and_place(checks, row, words, pointer):
    refused = one(checks, row)
    assert words in refused.detail
    assert refused.pointer == pointer


def test__rows_of_all_streams_mixed_with_bad_ones__have_their_verdicts_in_their_order(checks):
    given = [ORDER, 7, MOVED, ORDER | {"kind": "gift"}, ORDER | {"amount": -1.0}]
    verdicts = judge(given, checks, BOUNDS)
    assert [getattr(verdict, "stream", None) for verdict in verdicts] == [
        "purchases",
        None,
        "accounts",
        None,
        "purchases",
    ]
    assert verdicts[3].pointer == "#/events/3"
    assert isinstance(verdicts[4], PostedEvent)
    assert json.loads(verdicts[4].row)["kind"] == "return"
