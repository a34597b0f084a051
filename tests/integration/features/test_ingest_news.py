"""What has been read is not read again, what was refused may be accepted later, and ids that changed stay one account."""

from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest
from ingesting import AS_OF, SIMPLE, bring, counts, rows, source

from features.history import identities
from features.history.ingest.ingestion import IngestError, Source, quarantined
from features.history.store import History

ONE_BY_ONE = (
    "select account_id, occurred_at, try_cast(amount as double) as amount, order_id from source where amount <> ''"
)
TOGETHER = "select account_id, max(occurred_at) as occurred_at, sum(amount::double) as amount from source group by all"


def month(folder, number, *lines):
    (folder / f"2011-{number:02}.csv").write_text(SIMPLE + "".join(f"{line}\n" for line in lines))


def news(folder, **more):
    """Ingest what is new of all months."""
    how = {key: more.pop(key) for key in ("as_of", "timezone", "replace") if key in more}
    declaration = Source("lines", "purchases", "2011-*.csv", folder, **{"select": ONE_BY_ONE} | more)
    return bring(folder, declaration, everything=False, **how)


def files_read(folder):
    return History(folder / "history", buckets=4)


def orders(folder):
    return sorted(row["order_id"] for row in rows(folder))


@pytest.fixture
def folder(tmp_path):
    month(tmp_path, 1, "a,2011-01-01,1,A", "b,2011-01-02,2,B")
    month(tmp_path, 2, "a,2011-02-01,3,C")
    return tmp_path


# Files that were read


def test__files__nothing_new__nothing_is_read(folder):
    """The report says how many files were left alone, and no version is written."""
    first, second = news(folder), news(folder)

    assert (first.read, first.unchanged) == (3, 0)
    assert (*counts(second), second.unchanged, second.versions) == (0, 0, 0, 0, 2, first.versions)


def test__files__a_new_one__is_read_alone(folder):
    news(folder)
    month(folder, 3, "a,2011-03-01,4,D")
    report = news(folder)

    assert (*counts(report), report.unchanged) == (1, 1, 0, 0, 2)
    assert orders(folder) == ["A", "B", "C", "D"]


def test__files__a_new_one_without_a_column_the_others_have__is_read_as_with_them(folder):
    """Columns are those of all files, so that a select stays right."""
    news(folder)
    (folder / "2011-03.csv").write_text("account_id,occurred_at,amount\na,2011-03-01,4\n")

    assert news(folder).kept == 1


def test__files__changed_one__is_read_again(folder):
    """Of the same length, and with its time set back."""
    import os

    before = (folder / "2011-02.csv").stat()
    news(folder)
    month(folder, 2, "a,2011-02-01,3,E")
    os.utime(folder / "2011-02.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    report = news(folder)

    assert (*counts(report), report.unchanged) == (1, 1, 0, 0, 1)


def test__files__select_over_all_rows__is_given_all_of_them(folder):
    """A sum over the new file alone would be another."""
    news(folder, select=TOGETHER)
    assert news(folder, select=TOGETHER).unchanged == 2
    month(folder, 3, "a,2011-03-01,4,D")
    report = news(folder, select=TOGETHER)

    assert (report.read, report.unchanged) == (2, 0)
    assert sorted(row["amount"] for row in rows(folder) if row["account_id"] == "a") == [4.0, 8.0]


@pytest.mark.parametrize(
    "select",
    [
        "select *, row_number() over (order by occurred_at) as event_id from source",
        "select distinct * from source",
        "select * from source order by occurred_at limit 2",
        "select * from source where amount = (select max(amount) from source)",
        "select s.* from source s join source t on s.order_id = t.order_id",
        "select t.* from groups g left join source t on g.item = t.account_id",
        "select * from source union all select * from source",
    ],
)
def test__files__whatever_looks_beyond_its_row__reads_all(folder, select):
    """What the plan does not show to be harmless is not passed over."""
    (folder / "groups.csv").write_text("item\na\nb\n")
    tables = {"groups": "groups.csv"}
    news(folder, select=select, tables=tables)
    month(folder, 3, "a,2011-03-01,4,D")

    assert news(folder, select=select, tables=tables).unchanged == 0


def test__files__joined_table_changed__all_are_read(folder):
    (folder / "groups.csv").write_text("item,name\nA,tea\n")
    joined = {
        "select": f"select s.*, name as category from ({ONE_BY_ONE}) s left join groups on item = order_id",
        "tables": {"groups": "groups.csv"},
    }
    news(folder, **joined)
    month(folder, 3, "a,2011-03-01,4,D")
    assert news(folder, **joined).unchanged == 2
    (folder / "groups.csv").write_text("item,name\nA,coffee\n")

    assert news(folder, **joined).unchanged == 0


def test__files__replace_reads_all(folder):
    news(folder)

    assert counts(news(folder, replace=True)) == (3, 3, 0, 0)


def test__files__row_of_the_future__its_file_is_read_until_it_is_accepted(folder):
    """Then the row leaves the quarantine, and the file is left alone."""
    month(folder, 3, "a,2011-03-01,4,D")
    early = datetime(2011, 2, 15, tzinfo=UTC)
    assert counts(news(folder, as_of=early)) == (4, 3, 0, 1)
    report = news(folder)

    assert (report.kept, report.released, len(quarantined(files_read(folder)))) == (1, 1, 0)
    assert news(folder).unchanged == 3


def test__files__history_begun_anew__is_given_everything(folder):
    """Whoever moves a stream away has read nothing yet, whatever the bookmarks say."""
    news(folder)
    (folder / "history" / "purchases").rename(folder / "old")

    assert news(folder).kept == 3


# What was refused


def test__quarantine__row_accepted_later__leaves_and_others_stay(folder):
    """Of three refused rows one is mended by an earlier `earliest`; equal rows go together."""
    month(folder, 3, "a,2012-06-01,4,D", "a,2012-06-01,4,D", "b,soon,4,E")
    news(folder)
    report = news(folder, as_of=datetime(2013, 1, 1, tzinfo=UTC))

    assert (report.kept, report.released) == (1, 2)
    assert quarantined(files_read(folder))["kind"].tolist() == ["occurred_at is not a time"]


# What says something else than before


def test__changed__same_identity_other_content__is_counted_in_one_ingest_and_against_what_is_stored(tmp_path):
    """The first in canonical order stays; a mere repetition is no change."""
    header = "account_id,occurred_at,amount,event_id\n"
    first = bring(tmp_path, source(tmp_path, header + "a,2011-01-01,1,E\na,2011-01-01,2,E\na,2011-01-01,1,E\n"))
    second = bring(tmp_path, source(tmp_path, header + "a,2011-01-01,1,E\na,2011-01-02,1,E\n"))

    assert (first.duplicates, first.changed) == (2, 1)
    assert (second.duplicates, second.changed) == (2, 1)
    assert [row["amount"] for row in rows(tmp_path)] == [1.0]


# Accounts that were merged or erased


def test__identities__absorbed_account__rows_come_to_the_surviving_one_known_from_the_merge_on(tmp_path):
    """Late rows of an old id join the history that was moved, and the same file again changes nothing."""
    text = SIMPLE + "old,2011-01-01,1,A\nnew,2011-01-02,2,B\n"
    bring(tmp_path, source(tmp_path, text))
    merged_at = datetime(2011, 6, 1, tzinfo=UTC)
    identities.merge(files_read(tmp_path), "old", "new", merged_at)
    text += "old,2011-02-01,3,C\nold,2011-07-01,4,D\n"
    report = bring(tmp_path, source(tmp_path, text))

    assert counts(report) == (4, 2, 2, 0)
    known = {row["order_id"]: (row["account_id"], row["known_at"]) for row in rows(tmp_path)}
    assert known["A"] == known["C"] == ("new", merged_at)
    assert known["D"] == ("new", datetime(2011, 7, 1, tzinfo=UTC))
    assert known["B"] == ("new", datetime(2011, 1, 2, tzinfo=UTC))


def test__identities__forgotten_account__is_dropped_counted_and_stored_nowhere(tmp_path):
    """Good rows and refused ones, also under the id of an account that it had absorbed."""
    history = files_read(tmp_path)
    bring(tmp_path, source(tmp_path, SIMPLE + "x1,2011-01-01,1,A\nsecret7,2011-01-01,1,A\nb,2011-01-01,1,A\n"))
    identities.merge(history, "x1", "secret7", AS_OF)
    fingerprint = identities.fingerprint_of("secret7")
    import pyarrow as pa

    history.append(identities.FORGOTTEN, pa.table({"fingerprint": [fingerprint]}, schema=identities.FORGOTTEN_SCHEMA))
    (tmp_path / "fresh").mkdir()
    for table in (identities.FORGOTTEN, identities.MERGES):
        (tmp_path / "fresh" / "history").mkdir(exist_ok=True)
        (tmp_path / "history" / table).rename(tmp_path / "fresh" / "history" / table)
    lines = "secret7,2011-01-01,1,A\nsecret7,soon,1,A\nx1,2011-01-01,1,A\nb,2011-01-01,1,A\n"
    report = bring(tmp_path / "fresh", source(tmp_path / "fresh", SIMPLE + lines))

    assert (*counts(report), report.forgotten) == (4, 1, 0, 0, 3)
    files = [path for path in (tmp_path / "fresh" / "history").rglob("*.*") if identities.MERGES not in path.parts]
    stored = b"".join(path.read_bytes() for path in files if path.is_file())
    assert b"secret7" not in stored
    assert {row["account_id"] for row in rows(tmp_path / "fresh")} == {"b"}


# Rows of the same moment


def test__ties__rows_of_one_moment__stand_in_the_order_of_their_content(tmp_path):
    """Twenty lines of one order in two orders of arrival: the same history."""
    lines = [f"a,2011-01-01,{n % 7},{n % 3}\n" for n in range(20)]
    stored = []
    for name, given in {"one": lines, "two": lines[::-1]}.items():
        (tmp_path / name).mkdir()
        bring(tmp_path / name, source(tmp_path / name, SIMPLE + "".join(given)))
        stored.append(rows(tmp_path / name))

    assert stored[0] == stored[1]
    keys = [(row["order_id"], row["amount"]) for row in stored[0]]
    assert keys == sorted(keys)


def test__select__that_gives_other_rows_each_time__is_told_to_keep_still(tmp_path):
    """A Parquet file is read twice, for its accounts and for its rows: both must agree."""
    import duckdb

    duckdb.execute(f"""copy (select 'A' || i as account_id, date '2011-01-01' as occurred_at, 1.0 as amount
        from range(10_000) r(i)) to '{tmp_path}/a.parquet'""")
    declaration = Source("lines", "purchases", "a.parquet", tmp_path, "select * from source where random() < 0.5")
    with pytest.raises(Exception, match="its select returns other rows each time it is run"):
        bring(tmp_path, replace(declaration))


# What must not get lost


def test__replace__event_that_another_source_brings_too__comes_back_with_that_one(tmp_path):
    """Stored as the shop's, it was a duplicate to the archive; the shop brings it no more, the archive has been read."""
    both = "account_id,occurred_at,amount,event_id\nx,2011-01-01,1,e1\nx,2011-01-02,1,e2\n"
    archive = source(tmp_path, both, "archive.csv", name="archive")
    bring(tmp_path, source(tmp_path, both, "shop.csv", name="shop"), everything=False)
    bring(tmp_path, archive, everything=False)
    corrected = both.replace("x,2011-01-01,1,e1\n", "")
    bring(tmp_path, source(tmp_path, corrected, "shop.csv", name="shop"), replace=True)

    bring(tmp_path, archive, everything=False)
    assert sorted(row["event_id"] for row in rows(tmp_path)) == ["e1", "e2"]


def test__replace__every_row_refused__what_was_there_stays(folder):
    """A mistake in the new select must not empty the history."""
    news(folder)
    broken = ONE_BY_ONE.replace("occurred_at,", "'soon' as occurred_at,")
    with pytest.raises(IngestError, match=r"each of its 3 rows would be refused .occurred_at is not a time: 'soon'"):
        news(folder, select=broken, replace=True)
    assert orders(folder) == ["A", "B", "C"]


def test__files__further_table_that_changes_while_it_is_read__is_read_again(tmp_path):
    """Whatever of it was joined, nobody can say that it was all."""
    month(tmp_path, 1, "a,2011-01-01,1,A", "b,2011-01-02,2,B")
    (tmp_path / "known.csv").write_text("account_id\na\n")
    known = {"select": "select s.* from source s join known using (account_id)", "tables": {"known": "known.csv"}}

    def change(done, total, what):
        if what == "writing buckets":
            (tmp_path / "known.csv").write_text("account_id\na\nb\n")

    bring(tmp_path, Source("lines", "purchases", "2011-*.csv", tmp_path, **known), everything=False, progress=change)
    assert orders(tmp_path) == ["A"]
    news(tmp_path, **known)
    assert orders(tmp_path) == ["A", "B"]


@pytest.mark.parametrize("name", ["accounts", "merged", "forgotten", "waiting", "stored", "source_files", "given"])
def test__further_table__of_any_name__is_the_users_own(tmp_path, name):
    """Ingest has tables of its own; a select that reads Parquet is run while they are there."""
    duckdb.sql("select 'x' as account_id, timestamp '2011-01-01' as occurred_at, 1 as amount").write_parquet(
        f"{tmp_path}/lines.parquet"
    )
    (tmp_path / "known.csv").write_text("account_id\nx\n")
    select = f"select s.* from source s join {name} using (account_id)"
    lines = Source("lines", "purchases", "lines.parquet", tmp_path, select, tables={name: "known.csv"})
    assert counts(bring(tmp_path, lines)) == (1, 1, 0, 0)
    assert counts(bring(tmp_path, lines)) == (1, 0, 1, 0)
