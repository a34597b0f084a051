"""Killed with -9 at any moment, a history is readable, no event is torn or doubled, and the next run completes it.

Five kills of each kind by default, so that every run of the tests has some; `make soak` does a hundred.
"""

import os
from pathlib import Path

import crashing
import pyarrow.parquet as pq
from crashing import account_of, begun, events_of, history_in, killed, moments, write_events

KILLS = int(os.environ.get("FORESAIL_SOAK_KILLS", "5"))
SEED = int(os.environ.get("FORESAIL_SOAK_SEED", "0"))
EVENTS = 3000


def filled(folder, events=EVENTS):
    """A history of so many events."""
    write_events(folder, "first.csv", range(events))
    crashing.bring(folder)
    return history_in(folder)


def test__ingest__killed_at_any_moment__is_whole_and_in_the_end_everything_is_there_once(tmp_path):
    """Each round brings a file that overlaps those before, so that there is always something to write."""
    history = filled(tmp_path)
    expected = set(range(EVENTS))
    write_events(tmp_path, "measured.csv", range(EVENTS, EVENTS + 500))
    longest = crashing.duration(crashing.bring, tmp_path)
    expected |= set(range(EVENTS, EVENTS + 500))
    at_work = 0
    for number, moment in enumerate(moments(SEED, KILLS, longest)):
        first = EVENTS + 500 + 300 * number
        write_events(tmp_path, f"more {number:03}.csv", range(first - 300, first + 300))
        before, expected = set(events_of(history)), expected | set(range(first - 300, first + 300))
        at_work += killed(crashing.bring, tmp_path, after=moment)
        assert before <= set(events_of(history)) <= expected
    crashing.bring(tmp_path)
    assert events_of(history) == {number: account_of(number) for number in expected}
    assert at_work > 0, "every ingest was over before it was to be killed"
    assert not list(Path(history.root).glob(".staging-*"))


def test__merge__killed_at_any_moment__loses_nothing_and_is_completed_by_the_next_run(tmp_path):
    """An event is always with one of the two, and afterwards with the surviving one."""
    history = filled(tmp_path)
    longest = crashing.duration(crashing.join, tmp_path, account_of(1), account_of(0))
    expected = {number: account_of(number) for number in range(EVENTS)}
    expected |= {number: account_of(0) for number in expected if expected[number] == account_of(1)}
    for number, moment in enumerate(moments(SEED, min(KILLS, crashing.ACCOUNTS - 2), longest)):
        absorbed, into = account_of(number + 2), account_of(0)
        killed(crashing.join, tmp_path, absorbed, into, after=moment)
        found = events_of(history)
        assert found.keys() == expected.keys()
        assert all(found[event] in {account, into} for event, account in expected.items())
        crashing.join(tmp_path, absorbed, into)
        expected |= {event: into for event, account in expected.items() if account == absorbed}
        assert events_of(history) == expected


def test__forget__killed_at_any_moment__is_completed_by_the_next_run_and_nobody_else_loses_anything(tmp_path):
    """After the second run not a byte of the account is left; the others' events are all there after each."""
    history = filled(tmp_path)
    longest = crashing.duration(crashing.erase, tmp_path, account_of(0))
    for number, moment in enumerate(moments(SEED, min(KILLS, crashing.ACCOUNTS - 2), longest)):
        gone = {account_of(each) for each in range(number + 2)}
        others = {event: account_of(event) for event in range(EVENTS) if account_of(event) not in gone}
        killed(crashing.erase, tmp_path, account_of(number + 1), after=moment)
        assert others.items() <= events_of(history).items()
        crashing.erase(tmp_path, account_of(number + 1))
        assert events_of(history) == others
        assert traces(history.root, account_of(number + 1)) == []


def test__two_ingests_at_once__one_is_told_and_everything_is_there_once(tmp_path):
    """Two nightly jobs that were started by mistake."""
    history = filled(tmp_path, 500)
    for number in range(KILLS):
        first = 500 + 300 * number
        write_events(tmp_path, f"more {number:03}.csv", range(first, first + 300))
        both = [begun(crashing.bring, tmp_path) for _ in range(2)]
        for _, started, _ in both:
            started.set()
        said = sorted(outcome.get(timeout=300)[0] for _, _, outcome in both)
        for process, _, _ in both:
            process.join()
        assert "done" in said
        assert all(each == "done" or "is being written by another" in each for each in said)
        assert events_of(history) == {event: account_of(event) for event in range(first + 300)}


def traces(folder, text):
    """Files that hold the text, in their bytes or in what Parquet compresses."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return [
        path
        for path in files
        if text.encode() in path.read_bytes()
        or (path.suffix == ".parquet" and f"'{text}'" in str(pq.read_table(path).to_pylist()))
    ]
