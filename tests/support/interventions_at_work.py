"""Decisions, sweeps and deliveries in processes of their own, which can be killed, and a receiver that is anything but reliable."""

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from forked import processes
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


def in_a_process(work, url, settings, folder, at, writing, outcome):
    """Many small transactions instead of a few large ones: more moments between which a kill can fall."""
    write_decisions.AT_ONCE, deadlines.AT_ONCE = 2, 3
    webhooks.AT_ONCE, webhooks.READ_SECONDS, webhooks.BODY_SECONDS = 16, 0.2, 0.2
    try:
        work(opened(url, wait_seconds=20), settings, folder, at, writing.set)
        outcome.put("done")
    except Exception as error:  # noqa: BLE001  whatever it is, the test shall see it
        outcome.put(f"{type(error).__name__}: {error}")


class Company:
    """A company whose last night is over, on one database, and the receiver that it tells."""

    def __init__(self, url, folder, receiver, seed):
        self.url, self.folder, self.receiver = url, folder, receiver
        self.settings, self.chance, self.kills = told(receiver.url), random.Random(seed), Counter()

    def begun(self, work, at):
        writing, outcome = processes().Event(), processes().Queue()
        arguments = work, self.url, self.settings, self.folder, at, writing, outcome
        process = processes().Process(target=in_a_process, args=arguments)
        process.start()
        return process, writing, outcome

    def completed(self, work, at):
        """Let it come to its end; the seconds until it began to write, and those after."""
        start = time.perf_counter()
        process, writing, outcome = self.begun(work, at)
        assert writing.wait(120)
        middle = time.perf_counter()
        assert outcome.get(timeout=300) == "done"
        process.join()
        return middle - start, time.perf_counter() - middle

    def killed(self, *works, seconds):
        """Begin each (work, moment) at the same time, and kill all of them, each at a moment of its own."""
        with ThreadPoolExecutor(len(works)) as hands:
            for killed in [hands.submit(self._killed, *work, seconds[work[0]]) for work in works]:
                killed.result()

    def _killed(self, work, at, seconds):
        """Half of the time while it writes, and rather early, when there is the most to do."""
        before, after = seconds
        process, writing, _ = self.begun(work, at)
        if self.chance.random() < 0.5:
            writing.wait(before * 3)
            process.join(after * self.chance.random() ** 2)
        else:
            process.join((before + after) * self.chance.random())
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            self.kills[work.__name__] += 1
        process.join()


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
