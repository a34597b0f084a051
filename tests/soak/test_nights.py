"""Nights that are killed with -9 at any moment, resumed, and must end as one that nobody disturbed.

Five kills of each kind by default, so that every run of the tests has some; `make soak` does a hundred.
"""

import os
import random
import threading

import night_company
import pytest
from forked import at_work, processes, was_killed
from night_company import (
    NEXT,
    NIGHT,
    company_in,
    left_behind,
    night,
    post_events,
    published,
    purchase,
    stored_events,
)

from serving.database.engine import opened
from serving.database.tables import METADATA
from serving.database.upgrade import upgrade

KILLS = int(os.environ.get("FORESAIL_SOAK_KILLS", "2"))
SEED = int(os.environ.get("FORESAIL_SOAK_SEED", "0"))
ACCOUNTS = 300


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return company_in(tmp_path_factory.mktemp("company"), ACCOUNTS)


def reported(company, url, as_of, work, kill_after, outcome):
    """For a process of its own: what the night ended with, and how long it worked."""
    with at_work(kill_after) as seconds:
        try:
            night(company, url, as_of, work)
            told = "done"
        except Exception as error:  # noqa: BLE001  whatever it is, the test shall see it
            told = f"{type(error).__name__}: {error}"
    outcome.put((told, seconds()))


def begun(company, url, as_of, work, kill_after=None):
    outcome = processes().Queue()
    process = processes().Process(target=reported, args=(company, url, as_of, work, kill_after, outcome))
    process.start()
    return process, outcome


def killed(company, url, as_of, work, after):
    """Run a night and kill it when it has worked for so many seconds; whether it was still at work."""
    process, _ = begun(company, url, as_of, work, after)
    return was_killed(process)


def completed(company, url, as_of, work):
    """Run a night to its end in a process of its own; the seconds of processor time that it took."""
    process, outcome = begun(company, url, as_of, work)
    told, seconds = outcome.get(timeout=300)
    assert told == "done"
    process.join()
    return seconds


def emptied(engine):
    """The database as before the first night."""
    METADATA.drop_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop table if exists alembic_version")
    upgrade(engine)


def differences(found, expected):
    """(table, row, side) of the first rows that only one side has."""
    return [
        (table, row, side)
        for table in expected
        for side, one, other in (("too much", found, expected), ("missing", expected, found))
        for row in sorted(set(one[table]) - set(other[table]))[:3]
    ]


POSTED = [purchase(f"A{number}", number) for number in range(20)]
LATER = [purchase(f"A{number}", f"later {number}", known_at=NEXT) for number in range(20)]


def test__nights__killed_at_any_moment__end_as_if_nobody_had_disturbed_them(company, empty_database, tmp_path):
    """Two nights, the second of which moves accounts and folds what was posted between: database and files are the same."""
    engine = opened(empty_database)
    upgrade(engine)
    post_events(engine, POSTED + LATER)
    calm = tmp_path / "calm"
    longest = max(completed(company, empty_database, as_of, calm) for as_of in (NIGHT, NEXT))
    expected, files, events = left_behind(engine), published(calm), sorted(stored_events(calm))
    assert len(set(events)) == len(events)
    assert {("A3", "posted 3"), ("A3", "posted later 3")} <= set(events)

    chance, kills = random.Random(SEED), 0
    for number in range(max(KILLS // 5, 1)):
        emptied(engine)
        post_events(engine, POSTED + LATER)
        work = tmp_path / f"disturbed {number}"
        for as_of in (NIGHT, NEXT):
            kills += sum(
                killed(company, empty_database, as_of, work, chance.uniform(0.05, 1) * longest) for _ in range(3)
            )
            completed(company, empty_database, as_of, work)
        assert differences(left_behind(engine), expected) == []
        assert published(work) == files
        assert sorted(stored_events(work)) == events
        assert not [path for path in (work / "nights").iterdir() if path.is_dir()]
    assert kills > 0, "every night was over before it was to be killed"
    engine.dispose()


def test__two_nights_at_once__one_is_told_so_and_the_other_completes(company, empty_database, tmp_path):
    """Two schedulers by mistake. On PostgreSQL they may be two machines, which share no folder."""
    both = [tmp_path, tmp_path] if empty_database.startswith("sqlite") else [tmp_path / "one", tmp_path / "other"]
    nights = [begun(company, empty_database, NIGHT, work) for work in both]
    said = sorted(outcome.get(timeout=300)[0] for _, outcome in nights)
    for process, _ in nights:
        process.join()
    assert said[1] == "done"
    assert said[0] == "done" or "another night" in said[0]


def test__events_posted_while_nights_run__are_all_there_once_whatever_is_killed(company, empty_database, tmp_path):
    """A CRM posts without a pause; what is in the inbox at the end and what is in the history make all of it, once."""
    engine = opened(empty_database)
    upgrade(engine)
    posted, over = [], threading.Event()

    def posting():
        while not over.is_set():
            event = purchase("A7", len(posted), known_at=NIGHT if len(posted) % 2 else NEXT)
            post_events(engine, [event])
            posted.append(event.event_id)

    crm = threading.Thread(target=posting)
    crm.start()
    try:
        longest = completed(company, empty_database, NIGHT, tmp_path)
        killed(company, empty_database, NEXT, tmp_path, random.Random(SEED).uniform(0.2, 0.9) * longest)
        completed(company, empty_database, NEXT, tmp_path)
    finally:
        over.set()
        crm.join()
    folded = [event for account, event in stored_events(tmp_path) if account == "A7" and event.startswith("posted")]
    waiting = [row["event_id"] for row in night_company.table_of(engine, METADATA.tables["event_inbox"])]
    assert len(folded) == len(set(folded))
    assert set(folded) | set(waiting) == set(posted)
    assert folded, "nothing was folded while events came in"
    engine.dispose()
