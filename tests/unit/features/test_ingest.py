"""Any table → checked rows → history: what is kept, what is refused and why, and that doing it again changes nothing."""

import gzip
import hashlib
import json
from datetime import UTC, datetime

import duckdb
import pyarrow.parquet as pq
import pytest
from ingesting import AS_OF, SIMPLE, bring, counts, rows, source

from features.history.ingest.ingestion import IngestError, Source, quarantined
from features.history.status import status
from features.history.store import History, HistoryError, canonical_order
from features.history.streams import PURCHASES


def history(folder):
    return History(folder / "history", buckets=4)


def refusals(folder):
    return quarantined(history(folder))["reason"].tolist()


def files(folder, table="."):
    """Every stored data file's bytes, by bucket; without the note that each ingest leaves of itself."""
    found = (folder / "history" / table).rglob("*.parquet")
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in found if "arrivals" not in path.parts)


def instant(text):
    return datetime.fromisoformat(text).astimezone(UTC)


# What is kept


def test__ingest__good_rows__are_stored_in_their_types_with_defaults(tmp_path):
    """Text is stripped, empty text is absent, kind follows the sign, known_at is occurred_at, −0 is 0."""
    text = "account_id,occurred_at,amount,order_id,category\n 001 ,2011-01-02T03:04:05Z, 2.5 ,  ,x y\n001,2011-01-03,-1,B,\n"
    text += "002,2011-01-03,-0.0,C,\n"
    report = bring(tmp_path, source(tmp_path, text))

    assert counts(report) == (3, 3, 0, 0)
    assert (report.oldest, report.newest) == (
        instant("2011-01-02T03:04:05+00:00"),
        instant("2011-01-03T00:00:00+00:00"),
    )
    stored = {(row["account_id"], row["amount"]): row for row in rows(tmp_path)}
    assert set(stored) == {("001", 2.5), ("001", -1.0), ("002", 0.0)}
    first = stored["001", 2.5]
    assert (first["order_id"], first["category"], first["kind"], first["discount"]) == (None, "x y", "order", None)
    assert first["known_at"] == first["occurred_at"] == instant("2011-01-02T03:04:05+00:00")
    assert stored["001", -1.0]["kind"] == "return"
    assert str(stored["002", 0.0]["amount"]) == "0.0"
    assert {row["source"] for row in stored.values()} == {"lines"}


def test__ingest__nan_number__is_absent_not_refused(tmp_path):
    """NaN in an optional number is how pandas writes absence; in a required one the row is refused as missing."""
    text = "account_id,occurred_at,amount,quantity\na,2011-01-01,1,NaN\nb,2011-01-01,nan,1\n"
    report = bring(tmp_path, source(tmp_path, text))

    assert [row["quantity"] for row in rows(tmp_path)] == [None]
    assert report.reasons == {"amount is missing": 1}


def test__ingest__accounts__default_occurred_at_to_known_at(tmp_path):
    text = "account_id,known_at,industry\na,2011-01-01,retail\n"
    report = bring(tmp_path, source(tmp_path, text, stream="accounts"))

    assert counts(report) == (1, 1, 0, 0)
    (row,) = rows(tmp_path, "accounts")
    assert (row["occurred_at"], row["industry"]) == (instant("2011-01-01T00:00:00+00:00"), "retail")


def test__ingest__parquet_json_and_gz__give_the_same_rows(tmp_path):
    """The format of a file does not change what is read from it."""
    text = SIMPLE + "001,2011-07-01T12:00:00+02:00,3,A\n002,2011-07-01,4.5,B\n"
    stored = []
    for name, content in {
        "a.csv": text.encode(),
        "a.csv.gz": gzip.compress(text.encode()),
        "a.json": b'{"account_id":"001","occurred_at":"2011-07-01T12:00:00+02:00","amount":3,"order_id":"A"}\n'
        b'{"account_id":"002","occurred_at":"2011-07-01","amount":4.5,"order_id":"B"}\n',
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        bring(folder, source(folder, content, name), timezone="Europe/London")
        stored.append(rows(folder))
    folder = tmp_path / "parquet"
    folder.mkdir()
    duckdb.execute(f"copy (select * from read_csv('{tmp_path}/a.csv/a.csv', all_varchar=true)) to '{folder}/a.parquet'")
    bring(folder, Source("lines", "purchases", "a.parquet", folder), timezone="Europe/London")

    assert stored[0] == stored[1] == stored[2] == rows(folder)
    assert {row["occurred_at"] for row in stored[0]} == {
        instant("2011-07-01T10:00:00+00:00"),
        instant("2011-06-30T23:00:00+00:00"),
    }


def test__ingest__several_files_with_different_columns__are_matched_by_name(tmp_path):
    (tmp_path / "2.csv").write_text("order_id,amount,account_id,occurred_at\nB,2,b,2011-01-02\n")
    declaration = source(tmp_path, "account_id,occurred_at,amount\na,2011-01-01,1\n", "1.csv", pattern="*.csv")
    bring(tmp_path, declaration)

    found = {row["account_id"]: (row["order_id"], row["amount"]) for row in rows(tmp_path)}
    assert found == {"a": (None, 1.0), "b": ("B", 2.0)}


def test__ingest__further_tables__can_be_joined(tmp_path):
    (tmp_path / "products.csv").write_text("item,group\nP1,tea\n")
    select = """select account_id, occurred_at, amount, "group" as category
        from source left join products on item = order_id"""
    declaration = source(tmp_path, SIMPLE + "a,2011-01-01,1,P1\n", select=select, tables={"products": "products.csv"})
    bring(tmp_path, declaration)

    assert [row["category"] for row in rows(tmp_path)] == ["tea"]


@pytest.mark.parametrize(("encoding", "account"), [("latin-1", "Café"), ("cp1252", "€"), ("gb18030", "公司")])
def test__ingest__named_encoding__is_read(tmp_path, encoding, account):
    """Encodings of DuckDB's reader and any other that Python knows."""
    text = (SIMPLE + f"{account},2011-01-01,1,A\n").encode(encoding)
    bring(tmp_path, source(tmp_path, text, options={"encoding": encoding}))

    assert [row["account_id"] for row in rows(tmp_path)] == [account]


# Time


def test__ingest__naive_times__are_read_in_the_projects_timezone(tmp_path):
    """London is an hour ahead of UTC in summer; offsets in the text win."""
    text = (
        SIMPLE + "a,2011-01-01 12:00,1,A\na,2011-07-01 12:00:00,2,B\na,2011-07-01,3,C\na,2011-07-01T12:00:00+0200,4,D\n"
    )
    bring(tmp_path, source(tmp_path, text), timezone="Europe/London")

    assert {row["order_id"]: row["occurred_at"].isoformat() for row in rows(tmp_path)} == {
        "A": "2011-01-01T12:00:00+00:00",
        "B": "2011-07-01T11:00:00+00:00",
        "C": "2011-06-30T23:00:00+00:00",
        "D": "2011-07-01T10:00:00+00:00",
    }


def test__ingest__typed_times__are_read_as_their_texts(tmp_path):
    """Naive timestamps of any precision and dates in the project's timezone, aware ones as they are."""
    duckdb.execute(f"""copy (select 'a' as account_id, 1.0 as amount, * from (values
        (timestamp '2011-07-01 12:00', date '2011-07-02', timestamptz '2011-07-02 12:00+02')) t(s, d, z))
        to '{tmp_path}/t.parquet'""")
    for column, expected in {"s": "2011-07-01T11:00", "d": "2011-07-01T23:00", "z": "2011-07-02T10:00"}.items():
        select = f"select account_id, amount, {column} as occurred_at, '{column}' as event_id from source"
        bring(tmp_path, Source("t", "purchases", "t.parquet", tmp_path, select), timezone="Europe/London")
        (stored,) = [row["occurred_at"] for row in rows(tmp_path) if row["event_id"] == column]
        assert stored == instant(f"{expected}+00:00")


def test__ingest__hours_that_clocks_repeat_or_skip__are_later_and_moved_forward(tmp_path):
    """London: 2011-10-30 01:30 occurred twice (the later is 01:30 UTC), 2011-03-27 01:30 never (02:30 summer time)."""
    text = SIMPLE + "a,2011-10-30 01:30,1,A\na,2011-03-27 01:30,2,B\n"
    bring(tmp_path, source(tmp_path, text), timezone="Europe/London")

    assert {row["order_id"]: row["occurred_at"].isoformat() for row in rows(tmp_path)} == {
        "A": "2011-10-30T01:30:00+00:00",
        "B": "2011-03-27T01:30:00+00:00",
    }


def test__ingest__late_arrival__is_kept_with_both_times(tmp_path):
    """What became known a week later stands where it became known."""
    text = "account_id,occurred_at,known_at,amount\na,2011-01-01,2011-01-08,1\na,2011-01-02,,2\n"
    bring(tmp_path, source(tmp_path, text))

    assert [(row["occurred_at"].day, row["known_at"].day) for row in rows(tmp_path)] == [(2, 2), (1, 8)]


def test__ingest__moment_of_as_of_and_of_earliest__are_accepted(tmp_path):
    """Both bounds are inclusive."""
    text = SIMPLE + "a,2012-01-01,1,A\na,1970-01-01,1,B\na,2012-01-01 00:00:00.000001,1,C\na,1969-12-31 23:59:59,1,D\n"
    report = bring(tmp_path, source(tmp_path, text))

    assert {row["order_id"] for row in rows(tmp_path)} == {"A", "B"}
    assert report.reasons == {"occurred_at is too early": 1, "occurred_at lies in the future": 1}


# What is refused, and why


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",2011-01-01,1,A", "account_id is missing"),
        ("   ,2011-01-01,1,A", "account_id is missing: '   '"),
        ("NaN,2011-01-01,1,A", "account_id is missing: 'NaN'"),
        ("null,2011-01-01,1,A", "account_id is missing: 'null'"),
        ("None,2011-01-01,1,A", "account_id is missing: 'None'"),
        ("a,abc,1,A", "occurred_at is not a time: 'abc'"),
        ("a,2011-02-30,1,A", "occurred_at is not a time: '2011-02-30'"),
        ("a,1262304000,1,A", "occurred_at is not a time: '1262304000'"),
        ("a,2011-07-01 12:00 BST,1,A", "occurred_at is not a time: '2011-07-01 12:00 BST'"),
        ("a,infinity,1,A", "occurred_at is not a time: 'infinity'"),
        ("a,,1,A", "occurred_at is missing"),
        ("a,2011-01-01,abc,A", "amount is not a number: 'abc'"),
        ('a,2011-01-01,"1,5",A', "amount is not a number: '1,5'"),
        ("a,2011-01-01,-inf,A", "amount is not finite: '-inf'"),
        ("a,2011-01-01,,A", "amount is missing"),
        (
            "a,1900-01-01,1,A",
            "occurred_at lies before 1970-01-01 00:00:00+00:00, the earliest that is accepted: '1900-01-01'",
        ),
        (
            "a,2100-01-01,1,A",
            "occurred_at lies after 2012-01-01 00:00:00+00:00, the as_of: '2100-01-01'",
        ),
        (",abc,x,A", "account_id is missing"),
    ],
)
def test__ingest__bad_row__is_quarantined_with_one_plain_reason(tmp_path, line, reason):
    """The first rule that a row breaks names the value found; the good row beside it is kept."""
    report = bring(tmp_path, source(tmp_path, SIMPLE + "good,2011-01-01,1,A\n" + line + "\n"))

    assert counts(report) == (2, 1, 0, 1)
    assert refusals(tmp_path) == [reason]


@pytest.mark.parametrize(
    ("stream", "header", "line", "reason"),
    [
        ("purchases", "known_at,amount", "2010-12-31,1", "known_at is before occurred_at: it cannot be known before it happened: '2010-12-31'"),
        ("purchases", "known_at,amount", "abc,1", "known_at is not a time: 'abc'"),
        ("purchases", "known_at,amount", "2100-01-01,1", "known_at lies after 2012-01-01 00:00:00+00:00, the as_of: '2100-01-01'"),
        ("purchases", "kind,amount", "refund,1", "kind must be one of order, return, cancellation: 'refund'"),
        ("purchases", "discount,amount", "-1,1", "discount must not be negative: give what was taken off as a positive number: '-1'"),
        ("service", "case_id,kind,satisfaction", "c,rated,6", "satisfaction must lie between 1 and 5: '6'"),
        ("service", "case_id,kind", ",opened", "case_id is missing"),
    ],
)  # fmt: skip
def test__ingest__row_that_breaks_a_streams_check__says_which_and_what_was_found(
    tmp_path, stream, header, line, reason
):
    text = f"account_id,occurred_at,{header}\na,2011-01-01,{line}\n"
    report = bring(tmp_path, source(tmp_path, text, stream=stream))

    assert counts(report) == (1, 0, 0, 1)
    assert refusals(tmp_path) == [reason]
    assert history(tmp_path).versions() == {}


def test__quarantine__row__is_json_of_what_the_select_returned(tmp_path):
    """Values as text, nulls as null, so that a refused row can be found again in its file."""
    bring(tmp_path, source(tmp_path, SIMPLE + 'a,abc,1,"x ""y"""\n'))
    (row,) = quarantined(history(tmp_path)).to_dict("records")

    assert json.loads(row["row"]) == {"account_id": "a", "occurred_at": "abc", "amount": "1", "order_id": 'x "y"'}
    assert (row["source"], row["stream"], row["kind"]) == ("lines", "purchases", "occurred_at is not a time")
    assert row["as_of"] == AS_OF


# Ingesting again


def test__ingest__the_same_file_twice__changes_nothing(tmp_path):
    """No new Delta version anywhere, neither of the stream nor of the quarantine."""
    declaration = source(tmp_path, SIMPLE + "a,2011-01-01,1,A\nb,2011-01-01,1,A\nc,abc,1,A\nc,abc,1,A\n")
    first = bring(tmp_path, declaration)
    before = files(tmp_path), history(tmp_path).table("quarantine").version(), rows(tmp_path)
    second = bring(tmp_path, declaration, as_of=datetime(2012, 5, 1, tzinfo=UTC))

    assert counts(first) == (4, 2, 0, 2)
    assert counts(second) == (4, 0, 2, 2)
    assert second.versions == first.versions
    assert (files(tmp_path), history(tmp_path).table("quarantine").version(), rows(tmp_path)) == before
    assert len(quarantined(history(tmp_path))) == 2


def test__ingest__file_that_grew__adds_what_is_new_to_its_buckets_only(tmp_path):
    lines = [f"{n},2011-01-{1 + n % 28:02d},1,A\n" for n in range(20)]
    bring(tmp_path, source(tmp_path, SIMPLE + "".join(lines)))
    before = {file.path: file.bucket for file in history(tmp_path).snapshot("purchases").files}
    report = bring(tmp_path, source(tmp_path, SIMPLE + "".join(lines) + "7,2011-05-01,9,B\n7,2010-05-01,9,B\n"))

    assert counts(report) == (22, 2, 20, 0)
    after = {file.path: file.bucket for file in history(tmp_path).snapshot("purchases").files}
    assert {before[path] for path in before.keys() - after.keys()} == {history(tmp_path).bucket_of("7")}
    assert [row["occurred_at"].month for row in rows(tmp_path) if row["account_id"] == "7"] == [5, 1, 5]


def test__ingest__event_ids__identify_within_an_account(tmp_path):
    """(account_id, event_id) is the identity: the same id at another account is another event, the first seen stays."""
    header = "account_id,occurred_at,amount,event_id\n"
    bring(tmp_path, source(tmp_path, header + "a,2011-01-01,1,E1\n"))
    report = bring(tmp_path, source(tmp_path, header + "a,2011-01-01,2,E1\nb,2011-01-01,3,E1\n"))

    assert counts(report) == (2, 1, 1, 0)
    assert {(row["account_id"], row["amount"]) for row in rows(tmp_path)} == {("a", 1.0), ("b", 3.0)}


def test__ingest__equal_event_ids_of_two_accounts_in_one_bucket__are_two_events(tmp_path):
    """In one file and against what is stored; 20 accounts in 4 buckets share buckets for certain."""
    header = "account_id,occurred_at,amount,event_id\n"
    lines = [f"{account},2011-01-01,1,E1\n" for account in range(20)]

    assert counts(bring(tmp_path, source(tmp_path, header + "".join(lines[:10])))) == (10, 10, 0, 0)
    assert counts(bring(tmp_path, source(tmp_path, header + "".join(lines[10:])))) == (10, 10, 0, 0)
    assert counts(bring(tmp_path, source(tmp_path, header + "".join(lines + lines)))) == (40, 0, 40, 0)
    (tmp_path / "fresh").mkdir()
    fresh = source(tmp_path / "fresh", header + "".join(lines + lines))
    assert counts(bring(tmp_path / "fresh", fresh)) == (40, 20, 20, 0)


def test__ingest__into_stored_buckets__the_file_itself_is_in_canonical_order(tmp_path):
    """Read from the Parquet file, because `History.read` would sort a file in disorder and hide it."""
    bring(tmp_path, source(tmp_path, SIMPLE + "".join(f"{n % 9},2011-01-{1 + n % 5:02d},{n},M\n" for n in range(90))))
    bring(tmp_path, source(tmp_path, SIMPLE + "".join(f"{n % 9},2011-01-{1 + n % 5:02d},{n},A\n" for n in range(90))))
    order = canonical_order(PURCHASES)

    snapshot = history(tmp_path).snapshot("purchases")
    assert snapshot.rows == 180
    for file in snapshot.files:
        stored = pq.read_table(file.path, filesystem=snapshot.filesystem).select(order).to_pylist()
        keys = [tuple((row[name] is not None, row[name]) for name in order) for row in stored]
        assert keys == sorted(keys, key=lambda key: [(present, value if present else 0) for present, value in key])


def test__ingest__same_event_twice_in_one_file__keeps_the_first_in_canonical_order(tmp_path):
    header = "account_id,occurred_at,amount,event_id\n"
    lines = ["a,2011-01-02,1,E\n", "a,2011-01-01,2,E\n", "a,2011-01-01,3,E\n"]
    for number, ordered in enumerate([lines, lines[::-1]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        report = bring(folder, source(folder, header + "".join(ordered)))
        assert counts(report) == (3, 1, 2, 0)
        assert [row["amount"] for row in rows(folder)] == [2.0]


def test__ingest__identical_lines_without_an_id__are_one_event(tmp_path):
    """The documented price of identifying by content; an id of one's own keeps both."""
    text = SIMPLE + "a,2011-01-01,1,A\na,2011-01-01,1,A\n"
    assert counts(bring(tmp_path, source(tmp_path, text))) == (2, 1, 1, 0)

    numbered = "select *, order_id || '/' || row_number() over () as event_id from source"
    (tmp_path / "other").mkdir()
    assert counts(bring(tmp_path / "other", source(tmp_path / "other", text, select=numbered))) == (2, 2, 0, 0)


def test__ingest__without_event_id__is_the_md5_of_the_content(tmp_path):
    """Pinned: if this changes, every file ever ingested would be ingested again as new."""
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1.50,A\n"))
    micros = 1293840000 * 1_000_000
    content = f"account_id=1:a;occurred_at=16:{micros};known_at=16:{micros};kind=5:order;order_id=1:A;amount=3:1.5;"

    assert [row["event_id"] for row in rows(tmp_path)] == [hashlib.md5(content.encode()).hexdigest()]


def test__ingest__separators_inside_values__do_not_make_rows_equal(tmp_path):
    text = "account_id,occurred_at,amount,order_id,product_id\n"
    text += "a,2011-01-01,1,x;product_id=1:y,\na,2011-01-01,1,x,y\n"

    assert counts(bring(tmp_path, source(tmp_path, text))) == (2, 2, 0, 0)


def test__ingest__order_of_rows_and_files__does_not_change_the_stored_bytes(tmp_path):
    """Canonical order is total, so the same rows give the same files."""
    lines = [f"{n % 7},2011-01-{1 + n % 5:02d},{n % 3},O{n}\n" for n in range(60)]
    stored = []
    for number, ordered in enumerate([lines, lines[::-1], sorted(lines)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        half = len(ordered) // (number + 1)
        source(folder, SIMPLE + "".join(ordered[half:]) or SIMPLE, "b.csv")
        bring(folder, source(folder, SIMPLE + "".join(ordered[:half]), "a.csv", pattern="*.csv"))
        stored.append((rows(folder), files(folder, "purchases")))

    assert stored[0] == stored[1] == stored[2]
    assert len(stored[0][0]) == 60


def test__ingest__while_another_writes__is_refused_at_once(tmp_path):
    declaration = source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n")
    with history(tmp_path).lock(), pytest.raises(HistoryError, match="is being written by another ingest"):
        bring(tmp_path, declaration)


def test__ingest__leaves_no_scratch_files(tmp_path):
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n"))

    left = {path.name for path in (tmp_path / "history").iterdir()}
    assert left == {".lock", "arrivals", "bookmarks", "mappings", "purchases"}


def test__ingest__progress__counts_to_its_total(tmp_path):
    seen = {}
    bring(
        tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n"), progress=lambda *step: seen.update({step[2]: step})
    )

    assert seen["reading and checking"][:2] == (1, 1)
    assert seen["writing buckets"][:2] == (1, 1)


# Status


def test__status__counts_rows_accounts_span_and_refusals_by_source(tmp_path):
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\na,2011-03-01,1,A\nb,2011-02-01,1,A\nb,abc,1,A\n"))
    bring(
        tmp_path,
        source(tmp_path, SIMPLE + "c,2011-01-05,1,A\na,2011-01-05,1,B\n", "web.csv", name="web"),
    )
    accounts = "account_id,known_at\na,2011-01-01\nz,2011-01-01\n"
    bring(tmp_path, source(tmp_path, accounts, stream="accounts"))
    found = status(history(tmp_path))

    assert found.accounts == 4
    first, second, third = found.sources
    assert (first.stream, first.source, first.rows, first.accounts) == ("accounts", "lines", 2, 2)
    assert (second.stream, second.source, second.rows, second.accounts) == ("purchases", "lines", 3, 2)
    assert (second.oldest, second.newest) == (
        instant("2011-01-01T00:00:00+00:00"),
        instant("2011-03-01T00:00:00+00:00"),
    )
    assert second.quarantined == {"occurred_at is not a time": 1}
    assert (third.source, third.rows, third.accounts, third.quarantined) == ("web", 2, 2, {})


def test__status__empty_history__is_empty(tmp_path):
    assert status(history(tmp_path)).sources == ()
    assert quarantined(history(tmp_path)).empty


# Sources that cannot be read


def failure(folder, declaration):
    with pytest.raises(IngestError) as error:
        bring(folder, declaration)
    assert history(folder).versions() == {}
    return str(error.value)


def test__error__no_file_matches(tmp_path):
    declaration = Source("lines", "purchases", "data/*.csv", tmp_path)

    assert failure(tmp_path, declaration).startswith("source 'lines': no file matches from = 'data/*.csv' in ")


def test__error__wrong_encoding(tmp_path):
    declaration = source(tmp_path, (SIMPLE + "Café,2011-01-01,1,A\n").encode("latin-1"))

    assert failure(tmp_path, declaration) == (
        "source 'lines': lines.csv is not encoded in utf-8; name its encoding, "
        'for example options = { encoding = "latin-1" }'
    )


def test__error__wrong_encoding_far_into_a_large_file(tmp_path):
    """Beyond what the reader samples."""
    text = SIMPLE + "a,2011-01-01,1,A\n" * 50_000 + "Café,2011-01-01,1,A\n"

    assert "lines.csv is not encoded in utf-8" in failure(tmp_path, source(tmp_path, text.encode("latin-1")))


def test__error__column_missing_from_the_select(tmp_path):
    declaration = source(
        tmp_path, "account_id,occurred_at,total\na,2011-01-01,1\n", select="select account_id, occurred_at from source"
    )

    assert failure(tmp_path, declaration) == (
        "source 'lines': stream 'purchases' needs a column 'amount' ("
        f"{PURCHASES.column('amount').meaning}); its select gives ['account_id', 'occurred_at']. Add `... as amount` to the select"
    )


def test__error__column_missing_from_the_file(tmp_path):
    declaration = source(
        tmp_path, "account_id,occurred_at,total\na,2011-01-01,1\n", select="select account_id, amount from source"
    )

    assert failure(tmp_path, declaration) == (
        "source 'lines': its select does not fit lines.csv: Binder Error: Referenced column \"amount\" not found in FROM "
        "clause!; Candidate bindings: \"account_id\", \"occurred_at\"; found columns ['account_id', 'occurred_at', 'total']. "
        "Correct the select"
    )


def test__error__unknown_column(tmp_path):
    text = "account_id,occurred_at,amount,catgory\na,2011-01-01,1,x\n"

    assert failure(tmp_path, source(tmp_path, text)).startswith(
        "source 'lines': stream 'purchases' has no column 'catgory' (nearest: category"
    )


def test__error__empty_file(tmp_path):
    assert failure(tmp_path, source(tmp_path, "")) == (
        "source 'lines': lines.csv is empty (no header, no rows); export it again, or move it away"
    )


def test__error__header_only(tmp_path):
    assert failure(tmp_path, source(tmp_path, SIMPLE)) == (
        "source 'lines': lines.csv has columns but no rows; export it again, or correct the pattern"
    )


def test__error__no_rows_left_after_the_select(tmp_path):
    declaration = source(
        tmp_path, SIMPLE + "a,2011-01-01,1,A\n" * 3, select="select * from source where order_id = 'B'"
    )

    assert failure(tmp_path, declaration) == (
        "source 'lines': no row is left after its select, of 3 in lines.csv; correct its where or join"
    )


def test__error__cast_in_the_select_fails(tmp_path):
    select = "select account_id, occurred_at, amount::double as amount from source"
    message = failure(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,abc,A\n", select=select))

    assert message.startswith("source 'lines': a cast in its select fails on lines.csv: Conversion Error")
    assert "abc" in message
    assert "Write try_cast(column as type)" in message


def test__error__arithmetic_on_csv_text(tmp_path):
    select = "select account_id, occurred_at, amount * 2 as amount from source"
    message = failure(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,2,A\n", select=select))

    assert message.endswith("CSV columns are text: write try_cast(column as double)")


def test__error__read_as_one_column(tmp_path):
    text = "account_id,occurred_at,amount\na,2011-01-01,1\na,2011-01-01\na,b,c,d\n"
    message = failure(tmp_path, source(tmp_path, text, select="select account_id, occurred_at, amount from source"))

    assert message.endswith('The file was read as one column: name its delimiter, options = { delim = "," }')


def test__error__line_with_too_many_columns(tmp_path):
    """A malformed line is an error that names it, never a line less."""
    text = SIMPLE + "a,2011-01-01,1,A\n" * 30_000 + "a,2011-01-01,1,A,B,C\n" + "a,2011-01-01,1,A\n" * 10
    message = failure(tmp_path, source(tmp_path, text))

    assert "lines.csv cannot be read" in message
    assert "30002" in message


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ("select 1; select 2", "its select must be one SELECT query, found SELECT, SELECT"),
        ("drop table x", "its select must be one SELECT query, found DROP"),
        ("", "its select must be one SELECT query, found nothing"),
        ("selekt 1", 'its select is not valid SQL: Parser Error: syntax error at or near "selekt"'),
    ],
)
def test__error__select_that_is_no_single_query(tmp_path, select, found):
    assert (
        failure(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n", select=select)) == f"source 'lines': {found}"
    )


def test__error__select_reaches_for_other_files(tmp_path):
    """The query sees the files of its source and nothing else of the machine."""
    (tmp_path / "secret.csv").write_text(SIMPLE + "s,2011-01-01,1,A\n")
    select = f"select * from read_csv('{tmp_path}/secret.csv')"
    message = failure(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n", select=select))

    assert "Cannot access file" in message


def test__error__unknown_reader_option(tmp_path):
    message = failure(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n", options={"encodng": "x"}))

    assert 'Invalid named parameter "encodng"' in message
    assert "Correct the file, or the source's options" in message


def test__error__option_that_drops_rows(tmp_path):
    message = failure(tmp_path, source(tmp_path, SIMPLE, options={"ignore_errors": True}))

    assert message == (
        "source 'lines': ignore_errors would drop rows without a word; remove it and correct what it hides"
    )


def test__error__unknown_encoding(tmp_path):
    message = failure(tmp_path, source(tmp_path, SIMPLE, options={"encoding": "klingon"}))

    assert message == "source 'lines': there is no encoding 'klingon'; try latin-1, cp1252, gb18030 or utf-16"


def test__error__not_parquet(tmp_path):
    message = failure(tmp_path, source(tmp_path, "hello, world", "lines.parquet"))

    assert message.startswith("source 'lines': lines.parquet cannot be read: ")


def test__error__unknown_format(tmp_path):
    message = failure(tmp_path, source(tmp_path, "hello", "lines.docx"))

    assert message == "source 'lines': cannot tell the format of .docx files; set format = csv, parquet, json or excel"


def test__error__unknown_stream(tmp_path):
    message = failure(tmp_path, source(tmp_path, SIMPLE, stream="orders"))

    assert message.startswith("source 'lines': there is no stream 'orders'; the streams are purchases, service")
