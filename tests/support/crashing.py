"""Writers that are killed with -9, and what must be true of a history whatever the moment was.

Every event says twice what it is: its amount is its number, and so is its event_id. A torn one would disagree.
"""

import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta

from forked import processes

from features.history.erasure import forget
from features.history.identities import merge
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History, HistoryError

FIRST = datetime(2010, 1, 1, tzinfo=UTC)
AS_OF = datetime(2012, 1, 1, tzinfo=UTC)
ACCOUNTS, BUCKETS = 120, 4


def history_in(folder):
    return History(folder / "history", buckets=BUCKETS)


def account_of(number):
    return f"account {number % ACCOUNTS:03}"


def write_events(folder, name, numbers):
    """A file of these events."""
    lines = [f"{account_of(number)},{FIRST + timedelta(hours=number % 9000)},{number},{number}" for number in numbers]
    (folder / name).write_text("account_id,occurred_at,amount,event_id\n" + "\n".join(lines) + "\n")


def bring(folder):
    """Ingest every file of the folder."""
    lines = Source("lines", "purchases", "*.csv", folder)
    return ingest(history_in(folder), lines, as_of=AS_OF, timezone="UTC", earliest=FIRST)


def join(folder, absorbed, into):
    return merge(history_in(folder), absorbed, into, AS_OF)


def erase(folder, account):
    return forget(history_in(folder), account)


def reported(writer, folder, arguments, started, outcome):
    """For a process of its own: what the writer ended with."""
    started.wait()
    try:
        writer(folder, *arguments)
        outcome.put("done")
    except HistoryError as error:
        outcome.put(str(error))


def begun(writer, folder, *arguments):
    """A process that writes as soon as its event is set, that event, and where it says how it ended."""
    started, outcome = processes().Event(), processes().Queue()
    process = processes().Process(target=reported, args=(writer, folder, arguments, started, outcome))
    process.start()
    return process, started, outcome


def killed(writer, folder, *arguments, after):
    """Run a writer and kill it after so many seconds; whether it was still at work."""
    process, started, _ = begun(writer, folder, *arguments)
    started.set()
    process.join(after)
    at_work = process.is_alive()
    if at_work:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return at_work


def duration(writer, folder, *arguments):
    """How long a writer takes that nobody kills, in seconds."""
    process, started, _ = begun(writer, folder, *arguments)
    begin = time.perf_counter()  # not before: the first process waits for what all of them have imported
    started.set()
    process.join(120)
    assert process.exitcode == 0
    return time.perf_counter() - begin


def moments(seed, count, longest):
    """When to kill: spread evenly over a writer's time, in a random order."""
    chance = random.Random(seed)
    spread = [longest * (number + chance.random()) / count for number in range(count)]
    chance.shuffle(spread)
    return spread


def events_of(history):
    """{event number: account}, after looking that each is whole, there once, and in its place."""
    events = {}
    for bucket in range(BUCKETS):
        rows = history.read("purchases", bucket, ["account_id", "known_at", "event_id", "amount"]).to_pylist()
        assert rows == sorted(rows, key=lambda row: (row["account_id"], row["known_at"]))
        for row in rows:
            assert row["event_id"] == str(int(row["amount"]))
            assert int(row["amount"]) not in events, f"event {row} is there twice"
            assert history.bucket_of(row["account_id"]) == bucket
            events[int(row["amount"])] = row["account_id"]
    return events
