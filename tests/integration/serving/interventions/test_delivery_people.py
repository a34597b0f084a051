"""People are told by mail and chat: in plain words, escaped, together where it is too much, and what a chat bot answers is heard."""

import email
import email.policy
import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.slack import NotifySlack
from apprise.plugins.wecombot import NotifyWeComBot
from outbox_messages import DATA, NOON, held, put, states, told
from receiving import receiver
from serving_company import free_port

from serving.database.engine import writing
from serving.database.tables import account_segments
from serving.interventions.declare.settings import Channel
from serving.interventions.deliver.dispatch import dispatch_once
from serving.interventions.deliver.leases import DispatchCounts
from serving.interventions.deliver.message_texts import Text, text_of, text_together

MINUTE = timedelta(minutes=1)
PAYLOAD = {"type": "intervention.escalated", "data": DATA}
OK = b'{"errcode": 0, "errmsg": "ok"}'


def people(url, **more):
    return Channel(kind="people", url=url, allow_private=True, **more)


def once(database, settings, at=NOON, **variables):
    return dispatch_once(database, settings, variables, lambda: at, lambda: 0.999)


def test__the_text__says_what_who_when_and_why():
    assert text_of(PAYLOAD, "Muster & Co", "Europe/Berlin") == Text(
        "[high] win back: nobody has taken it up: it is yours now",
        "Account: Muster & Co (A-17)\nWho does it: Ann, success manager\nUntil: Tue 2026-03-03 13:00 Europe/Berlin\n"
        "Why: ordered nothing for 90 days",
    )


def test__what_is_not_known__is_left_out_and_stays_on_its_line():
    bare = {**DATA, "due_at": None, "owner": None, "reason": "a\n\nb", "say": "call\tfirst"}
    assert text_of({"type": "x", "data": bare}, None, "UTC").body == (
        "Account: A-17\nWho does it: anybody of success manager\nWhy: a b\nHow: call first"
    )


def test__many__are_told_together_and_the_rest_counted():
    together = text_together([(PAYLOAD, None)] * 23, "UTC")
    assert together.title == "23 messages"
    assert together.body.count("Account: A-17") == 20
    assert together.body.endswith("\n\nand 3 more")


class Mailbox:
    """What a mail server took."""

    def __init__(self):
        self.taken = []

    async def handle_DATA(self, server, session, envelope):  # noqa: ARG002, N802  aiosmtpd calls it so
        self.taken.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"


@contextmanager
def mail_server():
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        controller.stop()


@pytest.mark.parametrize(
    ("asked", "kind", "name"),
    [
        ("", "text/plain", "<b>Muster</b> & Co (A-17)"),
        ("&format=html", "text/html", "&lt;b&gt;Muster&lt;/b&gt; &amp; Co (A-17)"),
    ],
)
def test__mail__reaches_the_reader_as_text_or_escaped(database, asked, kind, name):
    with writing(database) as connection:
        connection.execute(account_segments.insert().values(account_id="A-17", as_of=NOON, name="<b>Muster</b> & Co"))
    put(database, "mail", urgent=True)
    with mail_server() as (mailbox, port):
        url = f"mailto://127.0.0.1:{port}?from=foresail@example.com&to=ann@example.com&mode=insecure{asked}"
        assert once(database, told(mail=people(url))) == DispatchCounts(delivered=1), held(database)
    ((to, mail),) = mailbox.taken
    assert to == ["ann@example.com"]
    assert mail["subject"] == "[high] win back: to do"
    read = mail.get_body(("html", "plain"))
    assert read.get_content_type() == kind
    assert name in read.get_content().replace("&nbsp;", " ")


def test__a_mail_server_that_is_not_there__is_tried_again_and_the_password_is_not_told(database):
    (message_id,) = put(database, "mail")
    url = "mailto://ann:${PASSWORD}@127.0.0.1:9?from=foresail@example.com&to=ann@example.com&mode=insecure"
    assert once(database, told(mail=people(url)), PASSWORD="pw-4711") == DispatchCounts(again=1)
    row = held(database)[message_id]
    assert row["problem"]
    assert "pw-4711" not in str(row)


def test__a_chat__gets_the_text_as_it_is(database):
    put(database, "chat", reason="<!channel> *look* [here](http://x)")
    with receiver() as chat:
        url = chat.url.replace("http://", "json://")
        assert once(database, told(chat=people(url))) == DispatchCounts(delivered=1)
    (said,) = chat.told()
    assert said["title"] == "[high] win back: to do"
    assert "Why: <!channel> *look* [here](http://x)" in said["message"]


def test__slack__is_told_without_calling_the_channel(database, monkeypatch):
    """The protocol of incoming webhooks, at a server of our own: Slack's cannot be reached from a test."""
    put(database, "slack", reason="<!channel> & co")
    with receiver(body=b"ok") as slack:
        monkeypatch.setattr(NotifySlack, "webhook_url", slack.url)
        url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
        assert once(database, told(slack=people(url))) == DispatchCounts(delivered=1), held(database)
    assert "&lt;!channel&gt; &amp; co" in json.dumps(slack.told())


@pytest.mark.parametrize(
    ("plugin", "url", "path"),
    [(NotifyDingTalk, "dingtalk://s3cr3t@abc123/", "token=abc123"), (NotifyWeComBot, "wecombot://key-1/", "key=key-1")],
)
def test__a_chat_bot__is_heard(database, monkeypatch, plugin, url, path):
    """Chat bots answer 200 and say in the body that they did not take it; then ten minutes of silence, as DingTalk keeps them."""
    too_fast = json.dumps({"errcode": 130101 if plugin is NotifyDingTalk else 45009, "errmsg": "too fast"}).encode()
    (message_id,) = put(database, "robot")
    with receiver(body=too_fast) as robot:
        name = path.partition("=")[0]
        monkeypatch.setattr(plugin, "notify_url", f"{robot.url}?{name}={{{name}}}")
        settings = told(robot=people(url))
        assert once(database, settings) == DispatchCounts(again=1)
        assert "too fast" in held(database)[message_id]["problem"]
        robot.body = OK
        assert once(database, settings, NOON + 9 * MINUTE) == DispatchCounts()
        assert once(database, settings, NOON + 10 * MINUTE) == DispatchCounts(delivered=1)
    first, second = robot.requests
    assert path in first[3]
    assert ("sign=" in first[3]) == (plugin is NotifyDingTalk)
    assert json.loads(second[1])["text"]["content"].splitlines()[0] == "[high] win back: to do"


def test__a_chat_bot_with_forty_messages__is_told_twenty_at_once_and_within_its_rate_limit(database, monkeypatch):
    put(database, "robot", 40)
    with receiver(body=OK) as robot:
        monkeypatch.setattr(NotifyDingTalk, "notify_url", robot.url + "?token={token}")
        assert once(database, told(robot=people("dingtalk://abc123/"))) == DispatchCounts(delivered=40)
    assert [one["text"]["content"].split("\n")[0] for one in robot.told()] == ["20 messages", "20 messages"]


def test__a_digest__holds_back_what_is_not_urgent(database):
    put(database, "chat", 3)
    put(database, "chat", urgent=True, first=9)
    with receiver() as chat:
        settings = told(chat=people(chat.url.replace("http://", "json://"), digest="30m"))
        assert once(database, settings) == DispatchCounts(delivered=1)
        assert once(database, settings, NOON + 29 * MINUTE) == DispatchCounts()
        assert once(database, settings, NOON + 30 * MINUTE) == DispatchCounts(delivered=3)
    assert [said["title"] for said in chat.told()] == ["[high] win back: to do", "3 messages"]
    assert states(database) == ["delivered"] * 4


@pytest.mark.parametrize(
    ("url", "allow_private", "problem"),
    [
        (
            "syslog://localhost",
            True,
            "syslog:// shows something on this machine, where nobody looks; name a mail or a chat",
        ),
        (
            "nothing://x",
            True,
            "its url is none that Apprise knows (nothing://...); docs/guides/delivery.md has examples",
        ),
        ("json://127.0.0.1/", False, "127.0.0.1 is an address inside a network"),
        ("mailto://a:b@example.com?smtp=10.0.0.1", False, "10.0.0.1 is an address inside a network"),
    ],
)
def test__a_channel_that_reaches_nobody__says_so(database, url, allow_private, problem):
    put(database, "chat")
    channel = people(url).model_copy(update={"allow_private": allow_private})
    found = once(database, told(chat=channel))
    assert found.held + found.again == 1
    (row,) = held(database).values()
    assert problem in row["problem"]
