"""One account in full: what held when, and a timeline whose pages fit together."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history.streams import STREAMS
from serving.accounts.profile import attributes, contacts, stored, timeline
from serving.database.engine import reading, writing
from serving.database.tables import account_segments, interventions, score_history, scores, tier_moves

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def account(**streams):
    """An account with these rows, each stream in time order."""
    order = {
        name: sorted(rows, key=lambda row: (row["occurred_at"], row["known_at"])) for name, rows in streams.items()
    }
    return SimpleNamespace(events=lambda stream: order.get(stream, []))


def row(hours, known_after=0, **columns):
    """A row of so many hours before noon."""
    occurred_at = NOON - timedelta(hours=hours)
    return {
        "occurred_at": occurred_at,
        "known_at": occurred_at + timedelta(hours=known_after),
        "event_id": f"{hours}",
        **columns,
    }


def test__attributes__the_newest_that_holds_and_what_is_left_out_stays():
    one = account(
        accounts=[
            row(9, owner="Ada", region="north"),
            row(5, owner="Ben", region=None),
            row(-1, owner="of tomorrow"),
            row(3, known_after=4, owner="known too late"),
        ]
    )
    found = attributes(one, NOON)
    assert (found["owner"], found["region"], found["industry"]) == ("Ben", "north", None)


def test__attributes__a_row_exactly_at_the_moment_holds():
    assert attributes(account(accounts=[row(0, owner="Ada")]), NOON)["owner"] == "Ada"
    assert attributes(account(accounts=[row(0, owner="Ada")]), NOON - timedelta(microseconds=1))["owner"] is None


def test__contacts__each_as_it_stands():
    rows = [
        row(9, contact_id="c2", role="decides", status="joined"),
        row(8, contact_id="c1", role="uses", status="joined"),
        row(2, contact_id="c2", role=None, status="left"),
    ]
    found = contacts(account(contacts=rows), NOON)
    assert [(one["contact_id"], one["role"], one["status"]) for one in found] == [
        ("c1", "uses", "joined"),
        ("c2", None, "left"),
    ]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["purchases", "service", "engagement"]), st.integers(-2, 6), st.integers(0, 2)),
    max_size=40,
)


def drawn(events):
    streams = {name: [] for name in STREAMS}
    for number, (stream, hours, late) in enumerate(events):
        streams[stream].append(row(hours, late, event_id=f"e{number}"))
    return streams


def walk(streams, names, limit, between=lambda streams: None):
    found, before = [], None
    while True:
        events, before = timeline(account(**streams), NOON, names, limit, before)
        found += [(place.stream, place.event_id) for place, _ in events]
        if before is None:
            return found
        between(streams)


@given(
    events=EVENTS,
    limit=st.integers(1, 7),
    names=st.sampled_from([list(STREAMS), ["service"], ["service", "purchases"]]),
)
@settings(deadline=None)
def test__timeline__pages_one_after_the_other__are_all_known_events_newest_first(events, limit, names):
    streams = drawn(events)
    known = [
        (one["occurred_at"], one["known_at"], name, one["event_id"])
        for name in names
        for one in streams[name]
        if one["occurred_at"] <= NOON and one["known_at"] <= NOON
    ]
    assert walk(streams, names, limit) == [place[2:] for place in sorted(known, reverse=True)]


@given(events=EVENTS, limit=st.integers(1, 5), arriving=st.lists(st.integers(0, 6), min_size=1, max_size=5))
@settings(deadline=None)
def test__timeline__while_events_arrive__repeats_none_and_hides_none_of_before(events, limit, arriving):
    streams, numbers = drawn(events), iter(range(10_000))
    before = walk(streams, list(STREAMS), 100)

    def arrive(streams):
        for hours in arriving:
            streams["engagement"].append(row(hours, event_id=f"new{next(numbers)}"))

    found = walk(streams, list(STREAMS), limit, arrive)
    assert len(found) == len(set(found))
    assert [place for place in found if not place[1].startswith("new")] == before


def test__timeline__never_longer_than_asked_and_ends_exactly():
    streams = {"service": [row(hours) for hours in range(4)]}
    assert len(walk(streams, ["service"], 2)) == len(walk(streams, ["service"], 4)) == 4


def put(engine, table, *rows):
    empty = {column.name: None for column in table.columns}
    with writing(engine) as connection:
        connection.execute(sa.insert(table), [empty | {"account_id": "A"} | one for one in rows])


@pytest.fixture
def nights(database):
    """Account A and, beside it, B, after two nights."""
    model = {"horizon_days": 90, "model": "m", "model_version": "1"}
    put(database, scores, *({"account_id": name, "target": "churn", "as_of": NOON, **model} for name in "AB"))
    past = [{"account_id": name, "target": "churn", "as_of": NOON - timedelta(days=day), "model_version": "1", "answer": day / 10} for name in "AB" for day in (0, 2, 1)]  # fmt: skip
    put(database, score_history, *past)
    put(database, account_segments, {"as_of": NOON, "tier": "growth"}, {"account_id": "B", "as_of": NOON})
    moves = [{"scheme": scheme, "as_of": NOON - timedelta(days=day), "after": "growth", "why": "so"} for scheme in ("tier", "segment") for day in (0, 1)]  # fmt: skip
    put(database, tier_moves, *moves)
    one = {
        "playbook": "p",
        "reason": "r",
        "decided_at": NOON,
        "changed_at": NOON,
        "severity": "high",
        "origin": "decision",
        "role": "manager",
        "cost": 0.0,
    }
    due = [("done", 0), ("assigned", 2), ("claimed", 1), ("expired", 0)]
    ended = {"done": NOON, "expired": NOON + timedelta(days=1)}
    put(database, interventions, *(one | {"intervention_id": status, "status": status, "due_at": NOON + timedelta(days=day), "closed_at": ended.get(status)} for status, day in due))  # fmt: skip
    return database


def test__stored__is_of_this_account_alone_newest_first_and_what_is_still_to_be_done(nights):
    with reading(nights) as connection:
        found = stored(connection, "A")
    assert found.segmentation.tier == "growth"
    assert [row.answer for row in found.history["churn"]] == [0.0, 0.1, 0.2]
    assert [(row.as_of.day, row.scheme) for row in found.moves] == [
        (1, "segment"),
        (1, "tier"),
        (28, "segment"),
        (28, "tier"),
    ]
    assert [row.status for row in found.interventions] == ["claimed", "assigned"]
    assert [row.status for row in found.past_interventions] == ["expired", "done"]


def test__stored__before_the_first_night__is_empty(database):
    with reading(database) as connection:
        found = stored(connection, "A")
    assert vars(found) == {"segmentation": None, "history": {}} | {
        name: [] for name in ("scores", "moves", "interventions", "past_interventions", "warnings", "not_chosen")
    }
