"""Laws of ingest: nothing is lost, an independent reading agrees, and a killed ingest harms nothing."""

import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from crashing import duration, killed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingesting import AS_OF, SIMPLE, bring, counts, rows, source

from features.history.ingest.ingestion import quarantined
from features.history.store import History

ACCOUNTS = st.sampled_from(["a", "b", " a", "", "nan", "NULL", "007"])
TIMES = st.sampled_from(
    [
        "2011-01-01",
        "2011-06-01 12:00",
        "2011-06-01T12:00:00+02:00",
        "2011-06-01 10:00:00",
        "1900-01-01",
        "2100-01-01",
        "soon",
        "",
    ]
)
AMOUNTS = st.sampled_from(["1", "1.0", "-2", "0", "-0", "abc", "", "inf", "NaN", "1e3"])
KINDS = st.sampled_from(["", "order", "return", "gift"])
IDS = st.sampled_from(["", "", "E1", "E2"])
ROW = st.tuples(ACCOUNTS, TIMES, TIMES, KINDS, AMOUNTS, IDS)
NAMES = ["account_id", "occurred_at", "known_at", "kind", "amount", "event_id"]


def expected(given_rows):
    """The kept rows and the number refused, computed the slow way, with pandas."""
    frame = pd.DataFrame(given_rows, columns=NAMES).apply(lambda column: column.str.strip())
    frame = frame.replace("", None)
    account = frame["account_id"].where(~frame["account_id"].str.lower().isin(["nan", "null", "none"]), None)
    occurred, known = (pd.to_datetime(frame[name], utc=True, format="ISO8601", errors="coerce") for name in NAMES[1:3])
    unread = (occurred.isna() & frame["occurred_at"].notna()) | (known.isna() & frame["known_at"].notna())
    known = known.fillna(occurred)
    amount = pd.to_numeric(frame["amount"], errors="coerce")
    unread |= amount.isna() & frame["amount"].notna()
    kind = frame["kind"].where(frame["kind"].notna(), np.where(amount < 0, "return", "order"))
    good = account.notna() & occurred.notna() & ~unread & np.isfinite(amount) & kind.isin(["order", "return"])
    for moment in (occurred, known):
        good &= (moment >= pd.Timestamp("1970-01-01", tz="UTC")) & (moment <= AS_OF)
    good &= known >= occurred
    clean = pd.DataFrame(
        {"account_id": account, "known_at": known, "occurred_at": occurred, "kind": kind, "amount": amount}
    )
    clean["amount"] += 0.0  # −0 is 0
    identity = frame["event_id"].where(frame["event_id"].notna(), clean.apply(lambda row: str(tuple(row)), axis=1))
    clean = clean.assign(identity=identity)[good].sort_values([*clean.columns, "identity"], kind="stable")
    return clean.drop_duplicates(["account_id", "identity"]), int((~good).sum())


def csv(given_rows):
    lines = [",".join(f'"{value}"' for value in row) for row in given_rows]
    return "\n".join([",".join(NAMES), *lines]) + "\n"


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=25))
@example([("a", "2011-01-01", "", "", "0", ""), ("a", "2011-01-01", "", "", "-0", "")])
def test__ingest__random_dirty_rows__nothing_is_lost_and_pandas_agrees(given_rows):
    """Read = kept + duplicates + quarantined; the kept are those that pandas would keep; twice changes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        declaration = source(folder, csv(given_rows))
        report = bring(folder, declaration)
        kept, refused = expected(given_rows)

        assert counts(report) == (len(given_rows), len(kept), len(given_rows) - len(kept) - refused, refused)
        columns = ["account_id", "known_at", "occurred_at", "kind", "amount"]
        stored = sorted(tuple(row[column] for column in columns) for row in rows(folder))
        assert stored == sorted(kept[columns].itertuples(index=False, name=None))
        assert sum(report.reasons.values()) == len(quarantined(History(folder / "history", buckets=4))) == refused

        again = bring(folder, declaration)
        assert counts(again) == (len(given_rows), 0, len(given_rows) - refused, refused)
        assert again.versions == report.versions


@settings(max_examples=15, deadline=None)
@given(st.lists(ROW, min_size=2, max_size=20), st.randoms(use_true_random=False))
def test__ingest__rows_with_content_ids_in_any_order_and_portions__end_in_the_same_history(given_rows, chance):
    """One file, or the same rows shuffled and in two ingests: the same rows stored, in the same order."""
    given_rows = [(*row[:5], "") for row in given_rows]
    shuffled = chance.sample(given_rows, len(given_rows))
    cut = chance.randint(1, len(shuffled) - 1)
    with tempfile.TemporaryDirectory() as one_name, tempfile.TemporaryDirectory() as two_name:
        first, second = Path(one_name), Path(two_name)
        bring(first, source(first, csv(given_rows)))
        bring(second, source(second, csv(shuffled[:cut])))
        bring(second, source(second, csv(shuffled[cut:])))

        assert rows(first) == rows(second)


def test__ingest__killed_at_any_moment__leaves_a_readable_version_and_completes_later(tmp_path):
    """After SIGKILL the history is the old one or the new one, never a mixture; another run completes it."""
    old = [f"{n % 50},2011-01-{1 + n % 28:02d},{n},O{n}\n" for n in range(2_000)]
    new = [f"{n % 50},2011-02-{1 + n % 28:02d},{n},N{n}\n" for n in range(20_000)]
    refused = [f",2011-02-01,{n},N{n}\n" for n in range(500)]
    bring(tmp_path, source(tmp_path, SIMPLE + "".join(old)))
    lines = source(tmp_path, SIMPLE + "".join(old + new + refused), "new.csv")
    shutil.copytree(tmp_path, tmp_path / "calm")
    longest = duration(bring, tmp_path / "calm", replace(lines, folder=tmp_path / "calm"))
    chance, kills, sizes = random.Random(7), 0, []
    for _ in range(6):
        kills += killed(bring, tmp_path, lines, after=chance.random() * longest)
        sizes.append(len(rows(tmp_path)))

    assert kills > 0
    assert set(sizes) <= {2_000, 22_000}
    report = bring(tmp_path, lines)
    assert report.kept + sizes[-1] == 22_000
    assert len(rows(tmp_path)) == 22_000
    assert len(quarantined(History(tmp_path / "history", buckets=4))) == 500
    assert not list((tmp_path / "history").glob(".staging-*"))
