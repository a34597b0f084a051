"""Erasure: not a byte of the account is left, nobody else loses anything, and no ingest brings it back."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ingesting import SIMPLE, bring, rows, source
from storing import store

from features.history.erasure import forget, holding
from features.history.identities import IdentityError, fingerprint_of, identities, merge
from features.history.quarantine import quarantined
from features.history.store import History, HistoryError

ID = "Acme-77"
JUNE = datetime(2011, 6, 1, tzinfo=UTC)
LINES = f"{SIMPLE}{ID},2011-01-01,1,a\nother,2011-01-02,2,b\n{ID},2011-01-03,3,c\n"


def traces(folder, text=ID):
    """Files below a folder that hold the text: in their bytes, their name, or in what Parquet compresses."""
    files = []
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        unpacked = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else ""
        if text.encode() in path.read_bytes() or text in unpacked or text in str(path.relative_to(folder)):
            files.append(str(path.relative_to(folder)))
    return files


def company(folder, text=LINES):
    """A history of two ingests, the second of which refuses rows that name the account in several ways."""
    bring(folder, source(folder, text))
    refused = f"{ID},soon,5,d\nother,2011-01-04,much,{ID}\nother,2011-01-04,much,Acme-7\nother,2011-01-09,9,e\n"
    bring(folder, source(folder, text + refused))
    return History(folder / "history", buckets=4)


def test__forget__every_file_of_the_history__has_no_trace_of_the_account(tmp_path):
    """Data files of all versions, the log, its checkpoint, the quarantine: decompressed and byte by byte."""
    history = company(tmp_path)
    assert len(traces(history.root)) > 1
    erased = forget(history, ID)
    assert traces(history.root) == []
    assert (erased.ids, erased.rows, erased.quarantined) == ((ID,), {"purchases": 2}, 2)
    assert {table.table: table.given_up for table in erased.tables}["purchases"] == (0, 1, 2)
    assert sum(table.files for table in erased.tables) > 2


def test__forget__nobody_else__loses_anything(tmp_path):
    """The other account, and the refused row whose order Acme-7 is another word."""
    history = company(tmp_path)
    others = [row for row in rows(tmp_path) if row["account_id"] != ID]
    forget(history, ID)
    assert rows(tmp_path) == others != []
    assert ['"Acme-7"' in row for row in quarantined(history)["row"]] == [True]


def test__forget__tables_of_before_with_ids_in_their_log__leave_no_trace_either(tmp_path):
    """Histories written by earlier releases have the least and the greatest account_id of each file in the log."""
    history = company(tmp_path)
    table = history.table("purchases")
    table.alter.set_table_properties({"delta.dataSkippingStatsColumns": "account_id"})
    history.table("purchases").create_checkpoint()
    bring(tmp_path, source(tmp_path, f"{SIMPLE}{ID},2011-02-01,1,z\n", file="more.csv"))
    log = [path for path in traces(history.root) if "_delta_log" in path]
    assert log
    forget(history, ID)
    assert traces(history.root) == []


def test__forget__what_killed_writers_left__goes_too(tmp_path):
    """Staged rows, files without a commit, and files that never got their name."""
    history = company(tmp_path)
    root = Path(history.root)
    (root / ".staging-x").mkdir()
    for left in (
        ".staging-x/spilled",
        "purchases/bucket=0/part-1.parquet#1",
        "purchases/_delta_log/_commit_1.json.tmp",
    ):
        (root / left).parent.mkdir(exist_ok=True)
        (root / left).write_text(ID)
    orphan = root / "purchases" / "bucket=1" / "part-orphan.parquet"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(next(root.glob("purchases/**/*.parquet")).read_bytes())
    forget(history, ID)
    assert traces(root) == []
    assert not orphan.exists()


def test__forget__then_ingest__drops_its_rows_without_storing_them(tmp_path):
    """Tonight's export still has the account: read = kept + duplicates + quarantined + forgotten."""
    history = company(tmp_path)
    forget(history, ID)
    more = source(tmp_path, f"{LINES}{ID},soon,5,d\nother,2011-01-20,9,y\n")
    report = bring(tmp_path, more)
    assert (report.read, report.kept, report.duplicates, report.forgotten) == (5, 1, 1, 3)
    assert traces(history.root) == []


def test__forget__account_that_absorbed_others__forgets_them_all_and_the_merge(tmp_path):
    """Whoever was merged into it is the same account; its old id must not return either."""
    history = company(tmp_path, LINES + "Old-77,2011-01-05,4,f\n")
    merge(history, "Old-77", ID, JUNE)
    erased = forget(history, ID)
    assert (erased.ids, erased.rows) == ((ID, "Old-77"), {"purchases": 3})
    assert traces(history.root) == traces(history.root, "Old-77") == []
    known = identities(history)
    assert known.forgotten == {fingerprint_of(ID), fingerprint_of("Old-77")}
    assert known.merged == {}


def test__forget__absorbed_account__says_which_one_is_meant(tmp_path):
    history = company(tmp_path, LINES + "Old-77,2011-01-05,4,f\n")
    merge(history, "Old-77", ID, JUNE)
    with pytest.raises(
        IdentityError, match=f"'Old-77' was merged into '{ID}' and is one account with it; forget '{ID}'"
    ):
        forget(history, "Old-77")


def test__forget__unknown_account__is_refused_with_the_nearest_and_changes_nothing(tmp_path):
    """A misspelt id must not be reported as erased."""
    history = company(tmp_path)
    versions = history.versions()
    with pytest.raises(IdentityError, match=f"knows no account 'Acme77'; the nearest ids are '{ID}'"):
        forget(history, "Acme77")
    assert history.versions() == versions
    assert identities(history).forgotten == frozenset()


def test__forget__account_known_from_refused_rows_alone__is_forgotten(tmp_path):
    bring(tmp_path, source(tmp_path, f"{SIMPLE}other,2011-01-02,2,b\n{ID},soon,3,c\n"))
    history = History(tmp_path / "history", buckets=4)
    assert forget(history, ID).quarantined == 1
    assert traces(history.root) == []


def test__forget__refused_row_of_a_longer_id__stays(tmp_path):
    """Acme-778 begins like Acme-77 and is somebody else; Acme-77 inside a sentence is meant."""
    refused = f"Acme-778,soon,1,a\nother,soon,1,moved to {ID} in May\n"
    bring(tmp_path, source(tmp_path, f"{SIMPLE}{ID},2011-01-01,1,a\n{refused}"))
    history = History(tmp_path / "history", buckets=4)
    assert forget(history, ID).quarantined == 1
    assert ["Acme-778" in row for row in quarantined(history)["row"]] == [True]


@pytest.mark.parametrize("moment", range(9))
def test__forget__killed_at_any_step__asked_for_again_completes_it(tmp_path, moment):
    """After the kill nothing new can come in; after the second run nothing is left."""
    history = company(tmp_path, LINES + "Old-77,2011-01-05,4,f\n")
    merge(history, "Old-77", ID, JUNE)

    def killed(done, _total, _what):
        if done > moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forget(history, ID, killed)
    assert identities(history).knows_forgotten(ID)
    forget(history, ID)
    assert traces(history.root) == traces(history.root, "Old-77") == []
    assert {row["account_id"] for row in rows(tmp_path)} == {"other"}


def test__forget__twice__the_second_time_finds_nothing(tmp_path):
    history = company(tmp_path)
    forget(history, ID)
    again = forget(history, ID)
    assert (again.rows, again.quarantined) == ({}, 0)


def test__forget__while_another_writes__says_so(tmp_path):
    history = company(tmp_path)
    with history.lock(), pytest.raises(HistoryError, match="is being written by another"):
        forget(history, ID)


def test__holding__versions_of_a_training__says_whether_the_account_was_in_them(tmp_path):
    """True, False, or None where the versions can no longer be read."""
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    row = {"occurred_at": moment, "known_at": moment, "kind": "order", "amount": 1.0}
    history = store(tmp_path, {"a": {"purchases": [row]}})
    without_it = history.versions()
    store(tmp_path, {name: {"purchases": [row | {"occurred_at": moment - timedelta(days=1)}]} for name in ("a", ID)})
    with_it = history.versions()
    assert holding(history, [ID], without_it) is False
    assert holding(history, ["nobody", ID], with_it) is True
    forget(history, ID)
    assert holding(history, [ID], with_it) is None


def test__forget__by_url__leaves_no_trace_either(tmp_path):
    """The way to an object store, walked on a local URL."""
    history = company(tmp_path)
    remote = History(Path(history.root).as_uri(), buckets=4)
    forget(remote, ID)
    assert [path for path in traces(history.root) if not path.endswith(os.sep)] == []


@pytest.mark.parametrize("word", ["12", "5", "missing", "moved", ""])
def test__forget__word_of_a_refused_row__is_no_account(tmp_path, word):
    """`forget 12` must not report an account 12 as erased because an order of 12 was refused, nor turn 12 away for ever."""
    bring(tmp_path, source(tmp_path, f"{SIMPLE}a,2011-01-01,1,x\na,soon,12,moved\nb,2011-01-05,,5\n"))
    history = History(tmp_path / "history", buckets=4)
    with pytest.raises(IdentityError, match="knows no account"):
        forget(history, word)
    assert len(quarantined(history)) == 2
    assert identities(history).forgotten == frozenset()


def test__forget__id_that_is_a_number__loses_nobody_elses_refused_rows(tmp_path):
    """5 pieces, a day of May the 5th and a rule from 1 to 5 name no account 5."""
    bring(
        tmp_path,
        source(tmp_path, f"{SIMPLE}5,2011-01-01,1,x\na,soon,5,x\nb,2999-5-5,5.5,x\n5,soon,1,x\nc,soon,1,of 5\n"),
    )
    history = History(tmp_path / "history", buckets=4)
    assert forget(history, "5").quarantined == 2
    assert ['"a"' in row or '"b"' in row for row in quarantined(history)["row"]] == [True, True]
