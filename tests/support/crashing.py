"""Writers that are killed with -9, and what must be true of a history whatever the moment was.

Every event says twice what it is: its amount is its number, and so is its event_id. A torn one would disagree.
"""

import random
from datetime import UTC, datetime, timedelta

from forked import at_work, processes, was_killed

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


def reported(writer, folder, arguments, kill_after, started, outcome):
    """For a process of its own: what the writer ended with, and how long it worked."""
    started.wait()
    with at_work(kill_after) as seconds:
        try:
            writer(folder, *arguments)
            told = "done"
        except HistoryError as error:
            told = str(error)
    outcome.put((told, seconds()))


def begun(writer, folder, *arguments, kill_after=None):
    """A process that writes as soon as its event is set, that event, and where it says how it ended."""
    started, outcome = processes().Event(), processes().Queue()
    process = processes().Process(target=reported, args=(writer, folder, arguments, kill_after, started, outcome))
    process.start()
    return process, started, outcome


def killed(writer, folder, *arguments, after):
    """Run a writer and kill it when it has worked for so many seconds; whether it was still at work."""
    process, started, _ = begun(writer, folder, *arguments, kill_after=after)
    started.set()
    return was_killed(process)


def duration(writer, folder, *arguments):
    """How long a writer works that nobody kills, in seconds of processor time."""
    process, started, outcome = begun(writer, folder, *arguments)
    started.set()
    told, seconds = outcome.get(timeout=300)
    process.join()
    assert told == "done"
    return seconds


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
