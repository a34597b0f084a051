"""Excel as companies have it: ids with zeros, dates, several sheets, titles above the table."""

from datetime import date, datetime

import openpyxl
import pytest
from ingesting import bring, rows

from features.history.ingest.ingestion import IngestError, Source

HEADER = ["account_id", "occurred_at", "amount"]
MONEY_DATE = datetime(2011, 1, 2, 3, 4, 5)  # noqa: DTZ001  a cell has no zone


def workbook(folder, sheets, name="orders.xlsx"):
    """A workbook with these rows in these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    book.save(folder / name)


def excel(folder, **options):
    return bring(folder, Source("sales", "purchases", "*.xlsx", folder, **options))


def failure(folder, **options):
    with pytest.raises(IngestError) as error:
        excel(folder, **options)
    return str(error.value)


def test__excel__cells__keep_their_types(tmp_path):
    """Zeros of a text id stay, a number as id has no decimals, dates are dates in the project's timezone."""
    workbook(
        tmp_path,
        {"Orders": [HEADER, ["00123", MONEY_DATE, 12.5], [17850, date(2011, 7, 1), 7], [], ["a", "2011-07-02", 1]]},
    )
    report = bring(tmp_path, Source("sales", "purchases", "*.xlsx", tmp_path), timezone="Europe/London")

    assert (report.read, report.kept) == (3, 3)
    stored = {row["account_id"]: (row["occurred_at"].isoformat(), row["amount"]) for row in rows(tmp_path)}
    assert stored == {
        "00123": ("2011-01-02T03:04:05+00:00", 12.5),
        "17850": ("2011-06-30T23:00:00+00:00", 7.0),
        "a": ("2011-07-01T23:00:00+00:00", 1.0),
    }


def test__excel__ids_that_are_numbers_in_one_file_and_text_in_another__are_the_same_ids(tmp_path):
    workbook(tmp_path, {"S": [HEADER, [17850, MONEY_DATE, 1]]}, "1.xlsx")
    workbook(tmp_path, {"S": [HEADER, ["17850", MONEY_DATE, 1], ["007", MONEY_DATE, 1.5]]}, "2.xlsx")

    assert (excel(tmp_path).duplicates, {row["account_id"] for row in rows(tmp_path)}) == (1, {"17850", "007"})


def test__excel__cell_with_an_error__is_absent(tmp_path):
    workbook(tmp_path, {"S": [[*HEADER, "quantity"], ["a", MONEY_DATE, 1, "#N/A"], ["b", MONEY_DATE, 1, 2]]})
    book = openpyxl.load_workbook(tmp_path / "orders.xlsx")
    book["S"]["D2"].data_type = "e"
    book.save(tmp_path / "orders.xlsx")
    excel(tmp_path)

    assert [row["quantity"] for row in sorted(rows(tmp_path), key=lambda row: row["account_id"])] == [None, 2.0]


def test__excel__sheet_and_rows_above_the_table__are_named_by_options(tmp_path):
    workbook(tmp_path, {"Notes": [["hello"]], "Orders": [["Orders of 2011"], [], HEADER, ["a", MONEY_DATE, 1]]})

    assert excel(tmp_path, options={"sheet": "Orders", "skip": 2}).kept == 1


def test__excel__file_read_before__is_not_read_again(tmp_path):
    workbook(tmp_path, {"S": [HEADER, ["a", MONEY_DATE, 1]]}, "1.xlsx")
    declaration = Source("sales", "purchases", "*.xlsx", tmp_path)
    bring(tmp_path, declaration, everything=False)
    workbook(tmp_path, {"S": [HEADER, ["b", MONEY_DATE, 1]]}, "2.xlsx")
    report = bring(tmp_path, declaration, everything=False)

    assert (report.read, report.kept, report.unchanged) == (1, 1, 1)


@pytest.mark.parametrize(
    ("sheets", "options", "says"),
    [
        ({"A": [HEADER], "B": [HEADER]}, {}, "orders.xlsx has 2 sheets: 'A', 'B'. Name one: options = { sheet = \"A\" }"),
        ({"A": [HEADER]}, {"sheet": "B"}, "orders.xlsx has no sheet 'B'; it has 'A'. Correct options = { sheet = ... }"),
        ({"A": [HEADER]}, {"delim": ";"}, "an Excel source has no option 'delim'; it has sheet (the name of the sheet), skip (how many rows stand above the names of the columns)"),
        ({"A": [HEADER]}, {"skip": True}, "skip = True must be a whole number of rows, 0 or more"),
        ({"A": [HEADER]}, {"skip": "two"}, "skip = 'two' must be a whole number of rows, 0 or more"),
        ({"A": [[], HEADER]}, {}, "orders.xlsx, sheet 'A', has no names of columns in its first row; remove the rows above them, or skip them: skip = 1"),
        ({"A": []}, {}, "orders.xlsx, sheet 'A', has no names of columns in its first row; remove the rows above them, or skip them: skip = 1"),
        ({"A": [["x", None, "y"], [1, 2, 3]]}, {}, "orders.xlsx, sheet 'A', has values in column 2, which has no name; name it in the first row"),
        ({"A": [["x", "X"], [1, 2]]}, {}, "orders.xlsx, sheet 'A', has two columns named 'x'; rename one"),
        ({"A": [HEADER]}, {}, "orders.xlsx has columns but no rows; export it again, or correct the pattern"),
    ],
)  # fmt: skip
def test__excel__mistake__names_file_sheet_and_remedy(tmp_path, sheets, options, says):
    workbook(tmp_path, sheets)

    assert failure(tmp_path, options=options) == f"source 'sales': {says}"


def test__excel__what_is_none__is_a_sentence(tmp_path):
    (tmp_path / "a.xlsx").write_text("hello")

    assert "a.xlsx cannot be read as an Excel workbook" in failure(tmp_path)
    assert "save it again as .xlsx" in failure(tmp_path)


def test__excel__workbook_that_somebody_has_open__is_read_without_excels_own_file(tmp_path):
    """Excel puts ~$orders.xlsx beside it, which is no workbook."""
    workbook(tmp_path, {"Orders": [HEADER, ["a", MONEY_DATE, 5]]})
    (tmp_path / "~$orders.xlsx").write_bytes(b"\x05somebody")
    assert excel(tmp_path).kept == 1
