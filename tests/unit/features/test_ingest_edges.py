"""Files that a reader would guess wrongly about: names, quotes, numbers that are ids, and a select that has changed."""

import json
from datetime import UTC, datetime

import pytest

from features.catalog import CATALOG
from features.engine.table import build_feature_table
from features.history.ingest.ingestion import IngestError, Source, ingest
from features.history.store import History, HistoryError

AS_OF = datetime(2012, 1, 1, tzinfo=UTC)
BOUNDS = {"as_of": AS_OF, "timezone": "UTC", "earliest": datetime(2000, 1, 1, tzinfo=UTC)}
HEADER = "account_id,occurred_at,amount,order_id\n"


def bring(folder, pattern="*.csv", **options):
    bounds = (
        BOUNDS | {"everything": True} | {key: options.pop(key) for key in ("timezone", "replace") if key in options}
    )
    source = Source("sales", "purchases", pattern, folder, **options)
    return ingest(History(folder / "history", buckets=2), source, **bounds)


def stored(folder, column="account_id"):
    history = History(folder / "history", buckets=2)
    return sorted(
        value for bucket in range(2) for value in history.read("purchases", bucket, [column])[column].to_pylist()
    )


def test__file_name_with_brackets__is_read_itself_and_not_as_a_pattern(tmp_path):
    """lines[1].csv is a file of its own, and not another name for lines1.csv."""
    (tmp_path / "lines[1].csv").write_text(HEADER + "A,2011-01-05,5,o1\n")
    (tmp_path / "lines1.csv").write_text(HEADER + "B,2011-01-06,7,o2\n")
    report = bring(tmp_path)
    assert (report.read, report.kept) == (2, 2)
    assert stored(tmp_path) == ["A", "B"]


def test__csv__first_quoted_value_far_down__is_not_an_id_with_quotes(tmp_path):
    """What a sample of the file shows may not decide what a quote means in the rest."""
    rows = "".join(f"A{number},2011-01-05,5,o{number}\n" for number in range(30_000))
    (tmp_path / "a.csv").write_text(HEADER + rows + '"A1",2011-01-07,5,"late, and quoted"\n')
    report = bring(tmp_path)
    assert report.kept == 30_001
    assert "A1" in stored(tmp_path)
    assert not [account for account in stored(tmp_path) if '"' in account]


def test__json__ids_that_look_like_numbers_and_uuids__stay_as_they_are_written(tmp_path):
    """An id must not depend on the other rows of its file."""
    ids = [123, "A7", "00123", 9007199254740993, "6F9619FF-8B86-D011-B42D-00CF4FC964FF"]
    lines = [json.dumps({"account_id": name, "occurred_at": "2011-01-05", "amount": 5}) for name in ids]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert bring(tmp_path, "*.jsonl").kept == len(ids)
    assert stored(tmp_path) == sorted(map(str, ids))


def test__json__in_another_encoding__is_read(tmp_path):
    """DuckDB reads JSON as UTF-8 only; we do not."""
    line = json.dumps({"account_id": "Müller", "occurred_at": "2011-01-05", "amount": 5}, ensure_ascii=False)
    (tmp_path / "a.json").write_bytes(line.encode("latin-1"))
    assert bring(tmp_path, "*.json", options={"encoding": "latin-1"}).kept == 1
    assert stored(tmp_path) == ["Müller"]


def test__template_like_select__one_dirty_number__refuses_that_row_and_keeps_the_rest(tmp_path):
    """A lone try_cast in the select must give null, not end the ingest (as DuckDB 2.0 does by itself)."""
    (tmp_path / "a.csv").write_text("c,t,q,p\nA,2011-01-05,2,1.5\nB,2011-01-06,n/a,1.5\n")
    select = """select c as account_id, t as occurred_at, try_cast(q as double) as quantity,
        try_cast(q as double) * try_cast(p as double) as amount from source"""
    report = bring(tmp_path, select=select)
    assert (report.kept, report.quarantined) == (1, 1)


@pytest.mark.parametrize("options", [{"ignore_errors": True}, {"IGNORE_ERRORS": True}])
def test__option_that_drops_rows__is_refused_in_any_case(tmp_path, options):
    """Nothing is dropped in silence, however it is spelt."""
    (tmp_path / "a.csv").write_text(HEADER + "A,2011-01-05,5,o1\n")
    with pytest.raises(IngestError, match="ignore_errors would drop rows without a word"):
        bring(tmp_path, options=options)


def test__gz_that_is_none__is_a_sentence(tmp_path):
    """A half-copied export is an everyday thing."""
    (tmp_path / "a.csv.gz").write_text("not packed")
    with pytest.raises(IngestError, match=r"a.csv.gz cannot be opened .* export it again"):
        bring(tmp_path, "*.gz")


def test__row_with_more_fields_than_the_header__error_speaks_of_the_delimiter(tmp_path):
    """The reader then sees one column; the message says what that means."""
    (tmp_path / "a.csv").write_text("account_id;occurred_at;amount\nA;2011-01-05;5\n")
    with pytest.raises(IngestError, match="read as one column: name its delimiter"):
        bring(tmp_path, options={"delim": ","})


def test__folder_that_delta_cannot_read__is_named_with_its_character(tmp_path):
    """A crash in a library is no message."""
    with pytest.raises(HistoryError, match=r"does not read paths with \[ \]. Rename the folder"):
        History(tmp_path / "customers [2011]")


def test__select_changed__is_refused_and_replace_puts_the_new_rows_in_the_place_of_the_old(tmp_path):
    """The same file under another mapping would be counted twice; each account keeps its two orders."""
    (tmp_path / "a.csv").write_text(HEADER + "A,2011-01-05,5,o1\nA,2011-01-06,7,o2\nB,2011-01-06,7,o3\n")
    first = "select account_id, occurred_at, amount from source"
    assert bring(tmp_path, select=first).kept == 3
    assert bring(tmp_path, select=first.replace("from", "\n  from")).duplicates == 3
    changed = "select account_id, occurred_at, amount, order_id from source where account_id <> 'B'"
    with pytest.raises(IngestError, match="foresail ingest sales --replace"):
        bring(tmp_path, select=changed)
    assert stored(tmp_path) == ["A", "A", "B"]
    report = bring(tmp_path, select=changed, replace=True)
    assert (report.read, report.kept, report.duplicates) == (2, 2, 0)
    assert stored(tmp_path) == ["A", "A"]
    assert bring(tmp_path, select=changed).duplicates == 2
    table = build_feature_table(History(tmp_path / "history", buckets=2), AS_OF, CATALOG)
    assert table["purchases_amount_sum"].tolist() == [12.0]


def test__timezone_changed__is_refused_too(tmp_path):
    """Other moments are other rows."""
    (tmp_path / "a.csv").write_text(HEADER + "A,2011-07-05 10:00,5,o1\n")
    bring(tmp_path)
    with pytest.raises(IngestError, match="select, options or timezone have changed"):
        bring(tmp_path, timezone="Europe/London")


def test__select_changed__rows_with_ids_of_their_own__are_known_again(tmp_path):
    """An event_id makes a row the same row whatever else is said of it."""
    (tmp_path / "a.csv").write_text(HEADER + "A,2011-01-05,5,o1\n")
    with_id = "select account_id, occurred_at, amount, order_id as event_id from source"
    bring(tmp_path, select=with_id)
    assert bring(tmp_path, select=with_id.replace("amount,", "amount, order_id,")).duplicates == 1


def test__replace__leaves_other_sources_of_the_stream_alone(tmp_path):
    """Two shops feed one stream; one is mapped anew."""
    (tmp_path / "a.csv").write_text(HEADER + "A,2011-01-05,5,o1\n")
    bring(tmp_path)
    history = History(tmp_path / "history", buckets=2)
    (tmp_path / "other.csv").write_text(HEADER + "A,2011-02-05,9,p1\n")
    ingest(history, Source("other", "purchases", "other.csv", tmp_path), **BOUNDS)
    (tmp_path / "a.csv").write_text(HEADER + "C,2011-01-05,5,o1\n")
    bring(tmp_path, "a.csv", replace=True)
    assert stored(tmp_path) == ["A", "C"]
    assert stored(tmp_path, "source") == ["other", "sales"]
