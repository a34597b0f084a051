"""Webhooks out: signed, at least once under one id, patient with receivers that fail, and by one dispatcher at a time."""

import multiprocessing
import os
import signal
import threading
import time
from datetime import timedelta
from email.utils import format_datetime

import pytest
import sqlalchemy as sa
from outbox_messages import NOON, OLDER, SECRET, held, put, states, told, webhook
from receiving import receiver
from standardwebhooks import Webhook

from features.timestamps import now as clock
from serving.database.audit_log import verify
from serving.database.engine import open_engine, reading, writing
from serving.database.tables import audit_log, outbox
from serving.interventions.declare.settings import Channel
from serving.interventions.deliver import webhooks
from serving.interventions.deliver.attempt import DELAYS, DeliveryResult, next_attempt
from serving.interventions.deliver.dispatch import dispatch_once, dispatch_until
from serving.interventions.deliver.leases import LEASE, ChannelTerms, DispatchCounts, lease, record_results
from serving.interventions.deliver.outbox_admin import NoMessage, reopen, replay, replay_dead
from serving.interventions.deliver.webhooks import WebhookChannel

SECOND = timedelta(seconds=1)
WORST = 1 - 1e-9
"""The latest that chance can put the next attempt."""


def once(database, settings, at=NOON, variables=None):
    return dispatch_once(database, settings, variables or {}, lambda: at, lambda: WORST)


def test__a_webhook__is_signed_with_every_secret_and_delivered(database):
    (message_id,) = put(database, "crm", now=clock())
    with receiver(204) as crm:
        both = webhook(crm.url).model_copy(update={"secrets": ("${NEW}", "${OLD}")})
        variables = {"NEW": SECRET, "OLD": OLDER}
        assert dispatch_once(database, told(crm=both), variables, clock) == DispatchCounts(delivered=1)
    ((headers, body, *_),) = crm.requests
    for secret in (SECRET, OLDER):
        assert Webhook(secret).verify(body, headers)["data"]["account_id"] == "A-17"
    assert (headers["webhook-id"], headers["content-type"]) == (message_id, "application/json")
    row = held(database)[message_id]
    assert (row["state"], row["attempts"], row["problem"]) == ("delivered", 1, None)
    assert row["delivered_at"] >= row["created_at"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (500, "the receiver answered 500"),
        (404, "the receiver answered 404"),
        (
            (302, {"location": "http://127.0.0.1:1/"}),
            "the receiver answered 302: redirects are not followed; declare the url that it names",
        ),
        ("reset", "the connection broke before the answer"),
        ("silence", "no answer within 0 s"),
    ],
)
def test__a_receiver_that_fails__gets_the_same_message_again(database, monkeypatch, answer, problem):
    monkeypatch.setattr(webhooks, "READ_SECONDS", 0.4)
    (message_id,) = put(database, "crm")
    with receiver(answer, 200) as crm:
        settings = told(crm=webhook(crm.url))
        assert once(database, settings) == DispatchCounts(again=1)
        row = held(database)[message_id]
        assert row["problem"].startswith(problem)
        assert (row["state"], row["next_at"]) == ("pending", pytest.approx(NOON + 5 * SECOND, abs=SECOND / 100))
        assert once(database, settings, NOON + 4 * SECOND) == DispatchCounts()
        assert once(database, settings, NOON + 5 * SECOND) == DispatchCounts(delivered=1)
    (_, first, *_), (_, second, *_) = crm.requests
    assert crm.ids() == {message_id: 2}
    assert first == second


@pytest.mark.parametrize("answer", ["half", "repeat"])
def test__an_answer_that_is_odd_after_its_status__counts(database, answer):
    put(database, "crm", 3)
    with receiver(answer) as crm:
        assert once(database, told(crm=webhook(crm.url))) == DispatchCounts(delivered=3)
    assert set(crm.ids().values()) == {1}


def test__a_second_answer_to_one_message__is_not_taken_for_the_answer_to_the_next(database, monkeypatch):
    """It would count as delivered what the receiver refused, and never be sent again."""
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    put(database, "crm", 4)
    with receiver("repeat", 500) as crm:
        assert once(database, told(crm=webhook(crm.url))) == DispatchCounts(delivered=1, again=3)


def test__nobody_listening__is_a_problem_and_not_the_end(database):
    put(database, "crm")
    with receiver() as crm:
        url = crm.url
    assert once(database, told(crm=webhook(url))) == DispatchCounts(again=1)
    (row,) = held(database).values()
    assert row["problem"].startswith("cannot connect")


@pytest.mark.parametrize("header", ["120", format_datetime(NOON + 120 * SECOND, usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
def test__a_receiver_that_asks_for_time__is_left_alone_altogether(database, status, header):
    put(database, "crm")
    with receiver((status, {"retry-after": header}), 200) as crm:
        settings = told(crm=webhook(crm.url))
        once(database, settings)
        put(database, "crm", first=1)
        assert once(database, settings, NOON + 119 * SECOND) == DispatchCounts()
        assert once(database, settings, NOON + 120 * SECOND) == DispatchCounts(delivered=2)


@pytest.mark.parametrize(("header", "seconds"), [("31536000", 86_400), ("soon", None), ("-5", None), ("0", 0)])
def test__what_retry_after_says__is_believed_up_to_a_day(header, seconds):
    answer = webhooks.read_answer(429, webhooks.httpx.Headers({"retry-after": header}), NOON)
    assert answer.quiet == (None if seconds is None else timedelta(seconds=seconds))


def test__410__ends_the_channel_until_it_is_opened_again(database):
    put(database, "crm", 3)
    with receiver(410, 200) as crm:
        settings = told(crm=webhook(crm.url, per_minute=1.0))
        assert once(database, settings) == DispatchCounts(gone=3)
        put(database, "crm", first=3)
        assert once(database, settings, NOON + SECOND) == DispatchCounts()
        assert states(database) == ["gone"] * 4
        assert len(crm.requests) == 1
        assert reopen(database, "crm", "somebody", NOON + SECOND) == 4
        for minute in range(1, 5):
            assert once(database, settings, NOON + minute * timedelta(minutes=1)) == DispatchCounts(delivered=1)
    assert states(database) == ["delivered"] * 4


def test__what_nobody_takes_for_days__is_dead_and_can_be_replayed(database):
    (message_id,) = put(database, "crm")
    at = NOON
    with receiver(500) as crm:
        settings = told(crm=webhook(crm.url))
        for _ in DELAYS:
            assert once(database, settings, at) == DispatchCounts(again=1)
            at = held(database)[message_id]["next_at"]
        assert once(database, settings, at) == DispatchCounts(dead=1)
        assert at - NOON > timedelta(days=3)
        assert once(database, settings, at + timedelta(days=9)) == DispatchCounts()
        crm.answers = [200]
        assert replay_dead(database, "somebody", at) == 1
        assert once(database, settings, at) == DispatchCounts(delivered=1)
        assert replay(database, [message_id], "somebody", at) == 1
        assert once(database, settings, at) == DispatchCounts(delivered=1)
    assert crm.ids() == {message_id: len(DELAYS) + 3}
    with reading(database) as connection:
        acts = connection.execute(sa.select(audit_log.c.action, audit_log.c.subject)).all()
    assert acts == [(action, message_id) for action in ("message_dead", "message_replayed", "message_replayed")]
    assert verify(database).broken_at is None


def test__replay__of_a_message_that_is_not_there__does_nothing(database):
    (message_id,) = put(database, "crm")
    with pytest.raises(NoMessage, match="there is no message 'msg_none'"):
        replay(database, [message_id, "msg_none"], "somebody", NOON)
    assert verify(database).acts == 0


@pytest.mark.parametrize("attempts", range(1, 10))
def test__the_next_attempt__is_in_the_later_half_of_the_delay(attempts):
    delay = DELAYS[attempts - 1]
    assert next_attempt(attempts, NOON, lambda: 0.0) == NOON + delay / 2
    assert next_attempt(attempts, NOON, lambda: 0.5) == NOON + delay * 0.75
    assert next_attempt(10, NOON, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        ({"secrets": ("${CRM_SECRET}",)}, "the environment has no variable CRM_SECRET, nor CRM_SECRET_FILE"),
        ({"secrets": ("${BAD}",)}, "the secret ${BAD} must be whsec_ and base64"),
        ({"url": "ftp://127.0.0.1/"}, "its url must begin with https:// or http:// and name a host"),
        ({"url": "https://ann:pw@127.0.0.1/"}, "its url holds a user or a password; signatures say who we are"),
        ({"url": "http://crm.example/", "allow_private": False}, "its url must begin with https:// and name a host"),
        ({"url": "https://crm.example/$9"}, "a $ that begins no ${NAME} must be written $$"),
    ],
)
def test__a_channel_that_cannot_be_used__holds_its_messages_and_says_why(database, channel, problem):
    (message_id,) = put(database, "crm")
    variables = {"BAD": "no base64!"}
    declared = webhook("http://127.0.0.1:9/").model_copy(update=channel)
    assert once(database, told(crm=declared), variables=variables) == DispatchCounts(held=1)
    row = held(database)[message_id]
    assert (row["problem"], row["attempts"], row["state"]) == (f"[channels.crm]: {problem}", 0, "pending")
    with receiver() as crm:
        later = NOON + timedelta(minutes=1)
        assert once(database, told(crm=webhook(crm.url)), later) == DispatchCounts(delivered=1)


def test__a_secret__is_neither_stored_nor_logged(database, caplog):
    caplog.set_level("DEBUG")
    put(database, "crm")
    with receiver(500) as crm:
        hidden = webhook("http://${HOST}/hook?token=${TOKEN}").model_copy(update={"secrets": ("${KEY}",)})
        variables = {"HOST": crm.url.split("/")[2], "TOKEN": "tok-4711", "KEY": SECRET}
        once(database, told(crm=hidden), variables=variables)
    assert crm.requests[0][3] == "/hook?token=tok-4711"
    stored = str(held(database))
    own = "\n".join(record.getMessage() for record in caplog.records if record.name == "bentoml.foresail")
    for secret in ("tok-4711", SECRET):
        assert secret not in stored
        assert secret not in own


def test__messages_of_a_channel_that_is_not_declared__wait(database):
    put(database, "other")
    assert once(database, told()) == DispatchCounts()
    assert states(database) == ["pending"]


def test__a_slow_receiver__holds_up_no_other_channel(database, monkeypatch):
    monkeypatch.setattr(webhooks, "READ_SECONDS", 1.5)
    put(database, "slow", now=clock())
    stopped = threading.Event()
    with receiver("silence") as slow, receiver() as quick:
        settings = told(slow=webhook(slow.url), quick=webhook(quick.url))
        running = threading.Thread(target=dispatch_until, args=(stopped, database, settings, {}, clock))
        running.start()
        until(lambda: slow.requests)
        put(database, "quick", now=clock())
        until(lambda: quick.requests)
        assert "delivered" not in [row["state"] for row in held(database).values() if row["channel"] == "slow"]
        stopped.set()
        running.join(120)
    assert not running.is_alive()


def test__messages_of_a_channel__have_connections_of_their_own(database):
    put(database, "crm", 300)
    with receiver(body=b"thank you") as crm:
        assert once(database, told(crm=webhook(crm.url))) == DispatchCounts(delivered=300)
    assert len({address for _, _, address, _ in crm.requests}) == 300
    assert set(crm.ids().values()) == {1}


def test__several_dispatchers__deliver_each_message_once(database):
    ids = put(database, "crm", 400, now=clock())
    with receiver() as crm:
        settings = told(crm=webhook(crm.url))
        found = []
        running = [
            threading.Thread(
                target=lambda: found.append(
                    dispatch_once(open_engine(str_of(database), wait_seconds=60), settings, {}, clock)
                )
            )
            for _ in range(3)
        ]
        for each in running:
            each.start()
        for each in running:
            each.join()
    assert crm.ids() == dict.fromkeys(ids, 1)
    assert sum(each.delivered for each in found) == 400


def test__what_a_library_raises__is_of_one_message_and_told_without_secrets(database, monkeypatch):
    one, other = put(database, "crm", 2)
    send = WebhookChannel.send

    async def raising(channel, message_id, *more):
        if message_id == one:
            raise LookupError(f"no key {SECRET}")
        return await send(channel, message_id, *more)

    monkeypatch.setattr(WebhookChannel, "send", raising)
    with receiver(200) as crm:
        settings = told(crm=Channel(kind="webhook", url=crm.url, secrets=("${KEY}",), allow_private=True))
        found = dispatch_once(database, settings, {"KEY": SECRET}, lambda: NOON, lambda: 0.999)
    assert found == DispatchCounts(delivered=1, again=1)
    rows = held(database)
    assert (rows[other]["state"], rows[one]["problem"]) == ("delivered", "LookupError: no key ${KEY}")


def test__who_sleeps_over_his_last_attempt__declares_nothing_dead_that_another_delivered(database):
    (message_id,) = put(database, "crm")
    with writing(database) as connection:
        connection.execute(sa.update(outbox).values(attempts=len(DELAYS)))
    ((sleeper,),) = lease(database, "crm", ChannelTerms(64), NOON)
    ((other,),) = lease(database, "crm", ChannelTerms(64), NOON + LEASE)
    record_results(database, "crm", [(other, DeliveryResult())], NOON + LEASE, lambda: 0.0)
    record_results(database, "crm", [(sleeper, DeliveryResult("no answer"))], NOON + 2 * LEASE, lambda: 0.0)
    assert held(database)[message_id]["state"] == "delivered"
    assert verify(database).acts == 0


def test__what_is_taken__is_nobody_elses_until_the_lease_is_over(database):
    put(database, "crm")
    ((first,),) = lease(database, "crm", ChannelTerms(64), NOON)
    assert lease(database, "crm", ChannelTerms(64), NOON + LEASE - SECOND) == []
    ((again,),) = lease(database, "crm", ChannelTerms(64), NOON + LEASE)
    assert (first.message_id, first.attempts, again.attempts) == (again.message_id, 1, 2)


def test__killed_while_sending__it_goes_out_again_under_the_same_id(database):
    ids = put(database, "crm", 20, now=clock())
    with receiver("silence") as crm:
        settings = told(crm=webhook(crm.url))
        process = multiprocessing.get_context("spawn").Process(target=in_a_process, args=(str_of(database), settings))
        process.start()
        until(lambda: len(crm.requests) >= 5)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert set(states(database)) == {"pending"}
        crm.answers = [200]
        assert once(database, settings, clock() + LEASE) == DispatchCounts(delivered=20)
    assert set(crm.ids()) == set(ids)
    assert max(crm.ids().values()) == 2


def in_a_process(url, settings):
    dispatch_once(open_engine(url), settings, {}, clock)


def str_of(database):
    return database.url.render_as_string(hide_password=False)


def until(is_so, seconds=180):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
