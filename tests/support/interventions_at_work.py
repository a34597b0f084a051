"""Decisions, sweeps and deliveries in processes of their own, which can be killed, and a receiver that is anything but reliable."""

import random
import time
from collections import Counter
from datetime import timedelta

from forked import at_work, kill_this_process, processes, was_killed
from night_company import NIGHT, plan_of
from receiving import Receiver

from serving.database.engine import opened
from serving.interventions.declare.settings import (
    Calendar,
    Channel,
    EffectPrior,
    InterventionSettings,
    Limits,
    Playbook,
    Role,
    Sla,
    Step,
)
from serving.interventions.deliver import webhooks
from serving.interventions.deliver.dispatch import dispatch_once
from serving.interventions.run import deadlines, write_decisions
from serving.interventions.run.deadlines import sweep
from serving.nightly import decide_now

CAPACITY = 24
"""Interventions that the team can begin in a week."""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CALL = Playbook(
    when="churn_probability > 0.01", **{"for": "churn"}, role="team", effect=EffectPrior(prior=0.1), control=0.2,
    cooldown_days=0, claim_within="1h", steps=(Step(do="call", within="4h"),),
)  # fmt: skip
URGENT = Sla(
    when="case_severity = 'urgent'", notify=("desk",), claim_within="15m", resolve_within="4h", escalate_to="director"
)


def told(url):
    """What the company declares: a call for those who may leave, within capacity, and a promise about urgent cases."""
    return InterventionSettings(
        roles={
            "team": Role(members=("Ann", "Bo"), capacity_per_week=CAPACITY // 2),
            "desk": Role(members=("Cy",)),
            "director": Role(members=("Di",)),
        },
        playbooks={"call": CALL},
        sla={"urgent": URGENT},
        calendar=Calendar(business_hours="always"),
        channels={"crm": Channel(kind="webhook", url=url, secrets=("${CRM}",), allow_private=True)},
        policy=Limits(decided_by="command", expire_days=1),
    )


def decide(engine, settings, folder, at, writes):
    """Decide as of a moment, by the scores of the last night; `writes` is called before the first transaction."""
    looked = []

    def clock():
        # It is asked before anything is read, and again before anything is written.
        looked.append(at)
        if len(looked) > 1:
            writes()
        return at + timedelta(hours=1)

    def plan(as_of):
        return plan_of(folder, as_of, interventions=settings)

    decide_now(plan, engine, clock, at=at, progress=lambda *_: None)


def sweep_due(engine, settings, _, at, writes):
    writes()
    sweep(engine, settings, at)


def deliver(engine, settings, _, at, writes):
    writes()
    dispatch_once(engine, settings, {"CRM": SECRET}, lambda: at)


def in_a_process(work, url, settings, folder, at, kill_after, outcome):
    """Many small transactions instead of a few large ones: more moments between which a kill can fall.

    `kill_after`: seconds of work after the beginning and after the first write, None for never.
    """
    write_decisions.AT_ONCE, deadlines.AT_ONCE = 2, 3
    webhooks.AT_ONCE, webhooks.READ_SECONDS, webhooks.BODY_SECONDS = 16, 0.2, 0.2
    until_it_writes = []
    with at_work(kill_after[0]) as seconds:

        def writes():
            until_it_writes.append(seconds())
            kill_this_process(kill_after[1])

        try:
            work(opened(url, wait_seconds=20), settings, folder, at, writes)
            told = "done"
        except Exception as error:  # noqa: BLE001  whatever it is, the test shall see it
            told = f"{type(error).__name__}: {error}"
    outcome.put((told, *until_it_writes[:1], seconds()))


class Company:
    """A company whose last night is over, on one database, and the receiver that it tells."""

    def __init__(self, url, folder, receiver, seed):
        self.url, self.folder, self.receiver = url, folder, receiver
        self.settings, self.chance, self.kills = told(receiver.url), random.Random(seed), Counter()

    def begun(self, work, at, kill_after=(None, None)):
        outcome = processes().Queue()
        arguments = work, self.url, self.settings, self.folder, at, kill_after, outcome
        process = processes().Process(target=in_a_process, args=arguments)
        process.start()
        return process, outcome

    def completed(self, work, at):
        """Let it come to its end; the seconds of processor time until it began to write, and those after."""
        process, outcome = self.begun(work, at)
        told, *seconds = outcome.get(timeout=300)
        process.join()
        assert told == "done"
        before, total = seconds
        return before, total - before

    def killed(self, *works, seconds):
        """Begin each (work, moment) at the same time, and kill all of them, each at a moment of its own."""
        kills = [self._moment(*seconds[work]) for work, _ in works]
        running = [self.begun(*work, kill_after) for work, kill_after in zip(works, kills, strict=True)]
        for (work, _), (process, _) in zip(works, running, strict=True):
            self.kills[work.__name__] += was_killed(process)

    def _moment(self, before, after):
        """Half of the time while it writes, and rather early, when there is the most to do."""
        if self.chance.random() < 0.5:
            return None, after * self.chance.random() ** 2
        return (before + after) * self.chance.random(), None


class Moody(Receiver):
    """Accepts, fails, says nothing, breaks off, answers twice, or accepts and answers when nobody listens any more.

    It deals with every message once, however often it comes: `dealt_with` is what an honest system behind it would have done.
    """

    MOODS = (200, 200, 200, 200, 500, 500, 503, "reset", "half", "repeat", "repeat", "late", "silence")
    ACCEPTS = (200, "half", "repeat", "late")

    def __init__(self, seed):
        super().__init__()
        self.chance, self.is_well, self.dealt_with, self.came = random.Random(seed), False, {}, Counter()

    def receive(self, handler):
        length = int(handler.headers.get("content-length", 0))
        body, own = handler.rfile.read(length).decode(errors="replace"), handler.headers["webhook-id"]
        if not length or len(body.encode()) != length:
            # Killed in the middle of a sentence.
            handler.close_connection = True
            return
        with self.lock:
            mood = 200 if self.is_well else self.chance.choice(self.MOODS)
            self.came[own] += 1
            if mood in self.ACCEPTS:
                assert self.dealt_with.setdefault(own, body) == body
        getattr(self, f"answer_{mood}", self.answer_status)(handler, mood)

    def answer_late(self, handler, _):
        time.sleep(0.4)
        self.answer_status(handler, 200)


WEEK = timedelta(days=7)


def week(number):
    """The moment of a week's decision."""
    return NIGHT + number * WEEK
