"""How fast a channel is used: never more than its limit in any minute, and nothing lost for it."""

import math
import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from outbox_messages import NOON, held, put, states, told, webhook
from receiving import receiver

from serving.database.engine import open_engine
from serving.interventions.declare.settings import Channel
from serving.interventions.deliver.channel_rate_limit import TokenBucket, per_minute
from serving.interventions.deliver.dispatch import dispatch_once
from serving.interventions.deliver.leases import ChannelTerms, DispatchCounts, LeasedMessage, lease, texts_to_send

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@settings(deadline=None)
@given(st.floats(0.2, 200), st.lists(st.floats(0, 90), min_size=1, max_size=30))
def test__any_minute__has_at_most_the_limit(limit, gaps):
    bucket, at, sent = TokenBucket.full(limit, NOON), NOON, []
    for gap in gaps:
        at += timedelta(seconds=gap)
        bucket = bucket.refilled(at)
        sent += [at] * bucket.whole
        bucket = bucket.without(bucket.whole)
    for start in sent:
        within = sum(start <= one < start + MINUTE - timedelta(milliseconds=1) for one in sent)
        assert within <= math.ceil(limit)


def test__a_full_minute__is_used():
    bucket, sent = TokenBucket.full(20, NOON), 0
    for second in range(60):
        bucket = bucket.refilled(NOON + second * SECOND)
        sent += bucket.whole
        bucket = bucket.without(bucket.whole)
    assert sent == 20


def test__a_clock_that_goes_back__fills_nothing():
    bucket = TokenBucket(20, 0.0, NOON).refilled(NOON - MINUTE)
    assert (bucket.tokens, bucket.at) == (0.0, NOON)


def test__a_clock_that_was_a_day_ahead__does_not_silence_a_channel_for_a_day():
    ahead = TokenBucket(20, 0.0, NOON + timedelta(days=1))
    assert ahead.refilled(NOON).whole == 0
    assert ahead.refilled(NOON).refilled(NOON + timedelta(minutes=1)).whole == TokenBucket.full(20, NOON).whole


def test__limits__are_those_declared_else_those_of_the_kind():
    people = Channel(kind="people", url="${CHAT}")
    assert per_minute(people, "dingtalk://abc/") == 20
    assert per_minute(people, "mailto://a:b@c.example") is None
    assert per_minute(people.model_copy(update={"per_minute": 3.0}), "dingtalk://abc/") == 3
    assert per_minute(webhook("https://crm.example/"), "https://crm.example/") is None


def test__two_dispatchers__share_one_pace(database):
    put(database, "chat", 30)
    others = open_engine(database.url.render_as_string(hide_password=False))
    terms, taken = ChannelTerms(at_once=64, per_minute=20.0), []
    for second in range(60):
        for engine in (database, others):
            taken += lease(engine, "chat", terms, NOON + second * SECOND)
    others.dispose()
    assert len(taken) == 20


def test__a_webhook_with_a_pace__waits_rather_than_merges(database):
    put(database, "crm", 3)
    with receiver() as crm:
        declared = told(crm=webhook(crm.url, per_minute=1.0))
        for minute in range(3):
            at = NOON + minute * MINUTE
            assert dispatch_once(database, declared, {}, lambda at=at: at) == DispatchCounts(delivered=1)
    assert set(crm.ids().values()) == {1}
    assert states(database) == ["delivered"] * 3


def message(number, urgent=False, minutes_ago=0):
    return LeasedMessage(f"msg_{number}", "{}", urgent, NOON - minutes_ago * MINUTE, 1, None)


def test__a_digest__waits_for_the_oldest_and_takes_all():
    terms = ChannelTerms(at_once=4, together=20, digest=30 * MINUTE)
    ready = [message(1, minutes_ago=29), message(2), message(3, urgent=True)]
    assert texts_to_send(ready, terms, NOON, None) == [(ready[2],)]
    assert texts_to_send(ready, terms, NOON + MINUTE, None) == [(ready[2],), (ready[0], ready[1])]


def test__more_than_the_pace_allows__is_told_together_the_urgent_first():
    ready = [message(number) for number in range(6)] + [message(9, urgent=True)]
    terms = ChannelTerms(at_once=8, together=5, per_minute=20.0)
    assert texts_to_send(ready, terms, NOON, 7) == [(ready[6],), *((one,) for one in ready[:6])]
    assert texts_to_send(ready, terms, NOON, 2) == [(ready[6], *ready[:4]), (ready[4], ready[5])]
    assert texts_to_send(ready, terms, NOON, 1) == [(ready[6], *ready[:4])]
    assert texts_to_send(ready, terms, NOON, 0) == []


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=40),
    st.one_of(st.none(), st.integers(0, 9)),
    st.integers(1, 9),
    st.booleans(),
)
def test__what_is_chosen__is_ready_once_and_within_bounds(rows, allowed, together, has_digest):
    ready = [message(number, *row) for number, row in enumerate(rows)]
    terms = ChannelTerms(4, together, 30 * MINUTE if has_digest else None)
    texts = texts_to_send(ready, terms, NOON, allowed)
    told = [one.message_id for text in texts for one in text]
    assert len(told) == len(set(told))
    assert set(told) <= {one.message_id for one in ready}
    assert len(texts) <= min(4, 4 if allowed is None else allowed)
    assert all(1 <= len(text) <= together for text in texts)


def test__everything__is_delivered_in_the_end(database):
    """However the pace, the digest and chance fall."""
    chance = random.Random(1)
    put(database, "crm", 25)
    with receiver(*[chance.choice([200, 500, 429]) for _ in range(30)], 200) as crm:
        declared = told(crm=webhook(crm.url, per_minute=10.0))
        for number in range(200):
            dispatch_once(database, declared, {}, lambda at=NOON + number * 5 * MINUTE: at, chance.random)
            if set(states(database)) == {"delivered"}:
                break
    assert set(states(database)) == {"delivered"}
    assert set(crm.ids()) == set(held(database))
