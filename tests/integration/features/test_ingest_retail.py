"""A real, messy file: the Online Retail II order lines, cancellations and lines without an account included."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

from features.history.ingest.ingestion import Source, ingest, quarantined
from features.history.store import History

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "online_retail"

SELECT = """
    select "Customer ID" as account_id, InvoiceDate as occurred_at, Invoice as order_id, StockCode as product_id,
           case when starts_with(Invoice, 'C') then 'return' else 'order' end as kind,
           Quantity as quantity, Quantity * Price as amount
    from source
"""


@pytest.fixture(scope="module")
def retail(tmp_path_factory):
    if not FOLDER.is_dir():
        pytest.skip(f"the Online Retail II data is not there: {FOLDER.parent.name}/{FOLDER.name}")
    history = History(tmp_path_factory.mktemp("retail"))
    declaration = Source("invoices", "purchases", "online_retail.parquet", FOLDER, SELECT)
    as_of, earliest = datetime(2011, 12, 31, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)
    reports = [
        ingest(history, declaration, as_of=as_of, timezone="Europe/London", earliest=earliest, everything=True)
        for _ in range(2)
    ]
    return history, reports


@pytest.fixture(scope="module")
def lines(retail):
    """The mapped lines that have an account, read with pandas alone."""
    raw = pd.read_parquet(FOLDER / "online_retail.parquet").dropna(subset="Customer ID")
    kind = raw["Invoice"].str.startswith("C").map({True: "return", False: "order"})
    return raw.assign(kind=kind, amount=raw["Quantity"] * raw["Price"])[
        ["Customer ID", "InvoiceDate", "Invoice", "StockCode", "kind", "Quantity", "amount"]
    ]


def test__retail__every_line_is_accounted_for(retail, lines):
    """711,967 lines: 160,183 without an account are refused, 8,178 repeat another in all that is mapped."""
    history, (report, _) = retail
    distinct = len(lines.drop_duplicates())

    assert (report.read, report.kept, report.duplicates, report.quarantined) == (711_967, 543_606, 8_178, 160_183)
    assert (report.kept, report.duplicates) == (distinct, len(lines) - distinct)
    assert report.reasons == {"account_id is missing": 160_183}
    assert len(quarantined(history)) == 160_183


def test__retail__again__changes_nothing(retail):
    _, (first, second) = retail

    assert (second.kept, second.duplicates) == (0, first.kept + first.duplicates)
    assert second.versions == first.versions


def test__retail__stored__returns_accounts_and_value_are_those_of_the_file(retail, lines):
    """Cancellations are kept as returns; the accounts are the 4,998 known ones."""
    history, _ = retail
    tables = [history.read("purchases", bucket, ["account_id", "kind", "amount"]) for bucket in range(16)]
    distinct = lines.drop_duplicates()

    assert sum(len(pc.unique(table["account_id"])) for table in tables) == 4_998 == distinct["Customer ID"].nunique()
    returns = sum(pc.sum(pc.equal(table["kind"].cast("string"), "return")).as_py() for table in tables)
    assert returns == 13_092 == (distinct["kind"] == "return").sum()
    value = sum(pc.sum(table["amount"]).as_py() for table in tables)
    assert value == pytest.approx(distinct["amount"].sum(), rel=1e-12)
