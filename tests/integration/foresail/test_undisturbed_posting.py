"""A CRM that posts and asks without a pause, while a night runs and a challenger becomes champion beside it."""

import itertools
import math
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from commands import begun
from night_company import MODELS, NEXT, NIGHT, project_in, stored_events, table_of, tracking_uri
from serving_company import SOON, answers, card, free_port, register, wait_until

from features.timestamps import now
from foresail.config.project import load
from foresail.operations.nightly import nightly
from registry.promotion_log import PROMOTED, Decision, settle
from serving.client import Client
from serving.database.engine import opened
from serving.database.tables import event_inbox, job_runs, scores

POSTED_TO = ("A1", "A2", "newcomer")
"""Three, so that each gets orders for this night and for the next; one of them nobody has heard of before."""
AMOUNT = 100.0
SPEND = "purchases_amount_sum_365d"
BEAT_SECONDS = 0.03


class Crm:
    """Posts an order, asks for the score of its account and for its timeline, and so on; each must succeed at once."""

    def __init__(self, url):
        self.client = Client(url, retries=0)
        self.posted = {account: [] for account in POSTED_TO}
        self.versions = []
        self.over = threading.Event()

    def work(self):
        for number, account in zip(itertools.count(), itertools.cycle(POSTED_TO)):
            if self.over.wait(BEAT_SECONDS):
                return
            self.visit(account, number)

    def visit(self, account, number):
        told = self.client.events([order(account, number)])
        assert (told.accepted, told.duplicate, told.refused) == (1, 0, 0)
        self.posted[account].append(f"posted {number}")
        self.versions.append(self.scores([account])[account, "soon"].model_version)
        assert self.timeline(account) == Counter(self.posted[account])

    def scores(self, accounts):
        """{(account, target): score}"""
        answered = self.client.scores(accounts).accounts
        return {(entry.account_id, score.target): score for entry in answered for score in entry.scores}

    def timeline(self, account):
        """How often each posted order is in it."""
        events = self.client.account(account, limit=500).timeline.events
        return Counter(event.event_id for event in events if event.event_id.startswith("posted"))


def order(account, number):
    """Every other order is known early enough for the night that runs; those between are for the night after."""
    known_at = (NIGHT if number % 2 else NEXT).isoformat()
    return {
        "account_id": account, "stream": "purchases", "event_id": f"posted {number}", "amount": AMOUNT,
        "occurred_at": NIGHT.isoformat(), "known_at": known_at,
    }  # fmt: skip


@contextmanager
def served(folder):
    """`foresail serve`, ready, which speaks for the moment of the night after; with its address."""
    port = free_port()
    with (
        begun(f"foresail serve --as-of {NEXT.isoformat()} --port {port}", folder) as service,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        wait_until(lambda: answers(client, "/readyz"), service.process, service.log)
        service.url = str(client.base_url)
        yield service


@contextmanager
def at_work(crm):
    """The CRM goes on from here to the end, where whatever it met with is raised."""
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(crm.work)
        try:
            yield work
        finally:
            crm.over.set()
        work.result()


def spend_card():
    """A model that every order moves: log-odds = 0.8 × (log(1 + spend) − 4), of which Platt makes 0.9 × that − 0.1."""
    term = {"feature": SPEND, "weight": 0.8, "centre": 4.0, "scale": 1.0, "missing": -1.0}
    return card([SPEND], SOON, rung="recency") | {"linear": {"intercept": 0.0, "terms": [term]}}


def spend_score(spend):
    return 1 / (1 + math.exp(-(0.9 * 0.8 * (math.log1p(spend) - 4) - 0.1)))


def promoted(folder, challenger):
    """As a person's decision is kept, and the champion's alias moved."""
    decision = Decision(PROMOTED, int(challenger), before=1, decided_at=NIGHT)
    assert settle(tracking_uri(folder), MODELS["soon"], decision).kind == PROMOTED


def has_begun(engine, as_of):
    return any(row["as_of"] == as_of for row in table_of(engine, job_runs))


def in_history(folder):
    """{account: how often each posted order is there}"""
    found = {account: Counter() for account in POSTED_TO}
    for account, event in stored_events(folder / ".foresail"):
        if event.startswith("posted"):
            found[account][event] += 1
    return found


def in_inbox(engine):
    found = {account: Counter() for account in POSTED_TO}
    for row in table_of(engine, event_inbox):
        found[row["account_id"]][row["event_id"]] += 1
    return found


def test__posting__while_a_night_runs_and_a_champion_changes__loses_nothing_and_meets_no_error(
    empty_database, tmp_path
):
    """Each order is at every moment once in its account's timeline, and at the end in every score, online as in batch."""
    project = load(project_in(tmp_path, empty_database))
    challenger = register(tracking_uri(tmp_path), spend_card())
    nightly(project, NIGHT - timedelta(days=1), now)
    engine = opened(empty_database)
    with served(tmp_path) as service:
        crm = Crm(service.url)
        with at_work(crm) as work:
            wait_until(lambda: len(crm.versions) > 4 or work.done(), service.process, service.log)
            with begun(f"foresail nightly --as-of {NIGHT.isoformat()}", tmp_path) as night:
                wait_until(lambda: has_begun(engine, NIGHT), night.process, night.log)
                before = len(crm.versions)
                promoted(tmp_path, challenger)
                assert night.process.wait(600) == 0, night.log.read_text()
                during = len(crm.versions) - before
            wait_until(lambda: challenger in crm.versions or work.done(), service.process, service.log)
        assert during > len(POSTED_TO), "the night was over before the CRM had done anything"
        assert [version for version, _ in itertools.groupby(crm.versions)] == ["1", challenger]

        posted = {account: Counter(events) for account, events in crm.posted.items()}
        folded, waiting = in_history(tmp_path), in_inbox(engine)
        assert {account: folded[account] + waiting[account] for account in POSTED_TO} == posted
        assert all(folded.values())
        assert all(waiting.values())

        online = crm.scores(POSTED_TO)
        nightly(project, NEXT, now)
        batch = {(row["account_id"], row["target"]): row["probability"] for row in table_of(engine, scores)}
        assert {key: score.probability for key, score in online.items()} == {key: batch[key] for key in online}
        assert in_history(tmp_path) == posted
        assert crm.scores(POSTED_TO) == online
        assert {account: crm.timeline(account) for account in POSTED_TO} == posted
        spend = AMOUNT * len(crm.posted["newcomer"])
        assert online["newcomer", "soon"].probability == pytest.approx(spend_score(spend))
    engine.dispose()
