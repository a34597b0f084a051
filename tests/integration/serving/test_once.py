"""Idempotency keys: one request is done once, whatever the caller's network does."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from serving.database.engine import writing
from serving.errors import KeyReused
from serving.runtime.idempotency import Answer, Asked, once

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKED = Asked.of(None, "k", "POST", "/v1/events", b"{}")


def ask(engine, done, asked=ASKED, at=NOON, does=None):
    def do():
        done.append(asked)
        return does() if does else Answer(207, f"answer {len(done)}")

    with writing(engine) as connection:
        return once(connection, asked, at, do)


def test__the_same_request__is_answered_as_before_and_not_done_again(database):
    done = []
    assert ask(database, done) == ask(database, done) == Answer(207, "answer 1")
    assert len(done) == 1


def test__another_request_under_the_same_key__is_a_problem(database):
    done = []
    ask(database, done)
    with pytest.raises(KeyReused, match="'k' was used for another request"):
        ask(database, done, Asked.of(None, "k", "POST", "/v1/events", b"{} "))
    assert len(done) == 1


def test__another_callers_same_key__is_its_own(database):
    done = []
    ask(database, done)
    assert ask(database, done, Asked.of("key 2", "k", "POST", "/v1/events", b"{}")) == Answer(207, "answer 2")


def test__a_day_later__the_key_is_free_again(database):
    done = []
    ask(database, done)
    assert ask(database, done, at=NOON + timedelta(hours=24, microseconds=-1)).body == "answer 1"
    assert ask(database, done, at=NOON + timedelta(hours=24)).body == "answer 2"


def test__a_request_that_failed__may_be_tried_again(database):
    done = []

    def fails():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ask(database, done, does=fails)
    assert ask(database, done) == Answer(207, "answer 2")


def test__the_same_request_from_many_sides_at_once__is_done_once_and_answered_to_all(database):
    done, told = [], []
    sides = [threading.Thread(target=lambda: told.append(ask(database, done))) for _ in range(6)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    assert told == [Answer(207, "answer 1")] * 6
    assert len(done) == 1
