"""Rows of a real PostgreSQL and of SQLite → history: all of them, once, the late ones too, and no password anywhere."""

import itertools
import traceback
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from ingesting import EARLIEST, bring, rows

from features.history.ingest import sql_source
from features.history.ingest.ingestion import IngestError, Source, ingest, quarantined
from features.history.ingest.sources import Database
from features.history.store import History

NUMBERS = itertools.count()
SELECT = """select customer as account_id, ordered_at as occurred_at, recorded_at as known_at, line_id as event_id, amount
    from source"""


def day(number, hour=0):
    return datetime(2011, 3, number, hour, tzinfo=UTC)


AS_OF = day(20)


class Shop:
    """A table of order lines in a database, and the source that reads it."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.engine = sa.create_engine(url)
        self.lines = sa.Table(
            "order_lines",
            sa.MetaData(),
            sa.Column("line_id", sa.Integer),
            sa.Column("customer", sa.String),
            sa.Column("ordered_at", sa.DateTime(timezone=True)),
            sa.Column("recorded_at", sa.DateTime(timezone=True)),
            sa.Column("updated_at", sa.DateTime(timezone=True)),
            sa.Column("amount", sa.Numeric(10, 2)),
        )
        self.lines.drop(self.engine, checkfirst=True)
        self.lines.create(self.engine)

    def sells(self, line_id, ordered_at, *, updated_at=..., recorded_at=None, customer="007", amount=5):
        moment = ordered_at if updated_at is ... else updated_at
        values = (line_id, customer, ordered_at, recorded_at, moment, amount)
        with self.engine.begin() as connection:
            connection.execute(self.lines.insert().values(values))

    def read(self, as_of=AS_OF, *, late_days=1, cursor="updated_at", select=SELECT, **more):
        database = Database(self.url, table="order_lines", cursor=cursor, late_days=late_days)
        source = Source("shop", "purchases", folder=self.folder, select=select, database=database)
        return ingest(
            History(self.folder / "history", buckets=4), source,
            as_of=as_of, timezone="UTC", earliest=EARLIEST, **more,
        )  # fmt: skip

    @property
    def stored(self):
        return sorted(int(row["event_id"]) for row in rows(self.folder))


@pytest.fixture(params=["postgresql", "sqlite"])
def shop(request, tmp_path):
    if request.param == "sqlite":
        (tmp_path / "shop.db").touch()
        found = Shop(f"sqlite:///{tmp_path}/shop.db", tmp_path)
    else:
        address = request.getfixturevalue("postgresql")
        name = f"shop{next(NUMBERS)}"
        server = sa.create_engine(f"postgresql+psycopg://{address}/postgres", isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(sa.text(f"create database {name}"))
        server.dispose()
        found = Shop(f"postgresql+psycopg://{address}/{name}", tmp_path)
    yield found
    found.engine.dispose()


def test__database__rows__are_stored_as_those_of_a_file(shop):
    """Ids keep their zeros, numbers and times their values."""
    shop.sells(1, day(1, 7), recorded_at=day(2), amount=12.5)
    report = shop.read()

    assert (report.read, report.kept, report.duplicates, report.quarantined) == (1, 1, 0, 0)
    (row,) = rows(shop.folder)
    assert (row["account_id"], row["amount"], row["event_id"]) == ("007", 12.5, "1")
    assert (row["occurred_at"], row["known_at"]) == (day(1, 7), day(2))


def test__database__second_ingest__reads_what_the_cursor_has_not_reached(shop):
    """Of ten old lines only those within late_days before the cursor are read again."""
    for number in range(1, 11):
        shop.sells(number, day(number))
    assert shop.read().read == 10
    shop.sells(11, day(12))
    report = shop.read(late_days=1)

    assert (report.read, report.kept, report.duplicates) == (3, 1, 2)
    assert shop.stored == [*range(1, 12)]


def test__database__row_committed_late__is_read_within_late_days_and_stands_where_it_became_known(shop):
    """A line written on the 9th that appears when the cursor has reached the 10th."""
    shop.sells(1, day(10))
    shop.read()
    shop.sells(2, day(8), updated_at=day(9), recorded_at=day(9))
    shop.sells(3, day(4), updated_at=day(4))
    shop.read(late_days=2)

    assert shop.stored == [1, 2]  # the third came later than we were told to expect
    assert [(row["event_id"], row["known_at"].day) for row in rows(shop.folder)] == [("2", 9), ("1", 10)]
    shop.read(late_days=7)
    assert shop.stored == [1, 2, 3]


def test__database__row_without_a_cursor_value__is_read_every_time(shop):
    """What cannot be told to be old is not taken to be."""
    shop.sells(1, day(10))
    shop.read()
    shop.sells(2, day(1), updated_at=None)
    shop.read(late_days=0)

    assert shop.stored == [1, 2]


def test__database__cursor_beyond_as_of__does_not_hide_what_comes_until_then(shop):
    """A slip of the pen puts one line into 2099; lines of tomorrow must be read all the same."""
    shop.sells(1, day(1), updated_at=datetime(2099, 1, 1, tzinfo=UTC))
    shop.read(as_of=day(10))
    shop.sells(2, day(11))
    shop.read(as_of=day(20))

    assert shop.stored == [1, 2]


def test__database__row_of_the_future__is_accepted_when_its_time_has_come(shop):
    """It was refused, and the cursor waits for it; then it leaves the quarantine."""
    shop.sells(1, day(15), updated_at=day(1))
    assert shop.read(as_of=day(10)).reasons == {"occurred_at lies in the future": 1}
    shop.sells(2, day(9))
    shop.read(as_of=day(10))
    report = shop.read(as_of=day(16), late_days=0)

    assert (report.released, shop.stored) == (1, [1, 2])
    assert quarantined(History(shop.folder / "history", buckets=4)).empty


def test__database__number_as_cursor__reads_what_grew(shop, monkeypatch):
    """And nothing that lies far below."""
    monkeypatch.setattr(sql_source, "LATE_NUMBERS", 0)
    for number in range(1, 6):
        shop.sells(number, day(number))
    shop.read(cursor="line_id")
    shop.sells(6, day(1))
    report = shop.read(cursor="line_id")

    assert (report.read, report.kept, shop.stored) == (2, 1, [1, 2, 3, 4, 5, 6])


def test__database__replace_or_another_mapping__reads_everything(shop):
    for number in range(1, 6):
        shop.sells(number, day(number * 3))
    shop.read()

    assert shop.read(late_days=0, replace=True).read == 5
    assert shop.read(late_days=0, select=SELECT.replace("amount", "amount, 'web' as channel")).read == 5


def test__database__corrected_line__is_counted_and_the_first_stays(shop):
    """Who corrects a line in the shop must learn that the history has the old one."""
    shop.sells(1, day(10), amount=5)
    shop.read()
    with shop.engine.begin() as connection:
        connection.execute(shop.lines.update().values(amount=7, updated_at=day(11)))
    report = shop.read()

    assert (report.read, report.duplicates, report.changed) == (1, 1, 1)
    assert [row["amount"] for row in rows(shop.folder)] == [5.0]


def test__database__killed_before_the_cursor_is_noted__reads_again_and_never_misses(shop, monkeypatch):
    """The cursor is written last: what is read twice is recognised."""
    shop.sells(1, day(1))
    shop.read()
    shop.sells(2, day(10))
    with monkeypatch.context() as patched:
        patched.setattr(
            "features.history.ingest.progress.note_marks", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            shop.read()
    report = shop.read(late_days=0)

    assert (report.kept, report.duplicates, shop.stored) == (0, 2, [1, 2])


def test__database__more_rows_than_one_portion__all_arrive(shop, monkeypatch):
    """Columns that are absent from a whole portion, or all of them, do not disturb the others."""
    monkeypatch.setattr(sql_source, "ROWS_AT_ONCE", 3)
    for number in range(1, 11):
        shop.sells(number, day(number), recorded_at=day(number) if number > 6 else None)
    report = shop.read()

    assert (report.read, report.kept) == (10, 10)
    assert [row["known_at"] for row in rows(shop.folder)] == [day(number) for number in range(1, 11)]


def test__database__query__may_hold_colons_and_percent_signs(shop):
    shop.sells(1, day(1), customer="10:30 100%")
    query = "select * from order_lines where customer like '10:30%' or customer = ':x';"
    database = Database(shop.url, query=query, cursor="updated_at")
    declaration = Source("shop", "purchases", folder=shop.folder, select=SELECT, database=database)

    assert bring(shop.folder, declaration, everything=False).kept == 1
    assert bring(shop.folder, declaration, everything=False).duplicates == 1


def test__database__variables__stand_for_themselves_whatever_they_hold(postgresql, tmp_path, monkeypatch):
    """A password may hold any character; one that is missing is named."""
    monkeypatch.setenv("SHOP_PASSWORD", "a@b:c/d%20${X}")
    address = postgresql.replace("foresail@", "foresail:${SHOP_PASSWORD}@")
    database = Database(f"postgresql+psycopg://{address}/postgres", query="select 1 as one")
    url = sql_source.address(database, tmp_path)

    assert url.password == "a@b:c/d%20${X}"
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(sql_source.DatabaseError, match="the environment variable SHOP_PASSWORD, which is not set"):
        sql_source.address(database, tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "hello secret"}, "database is no URL"),
        ({"url": "sqlite:///none.db"}, "there is no SQLite file .*none.db; correct database"),
        ({"url": "oracle7://me:secret@host/x"}, "SQLAlchemy knows no database 'oracle7'"),
        ({"url": "mysql+pymysql://me:secret@host/x"}, "the driver pymysql of mysql.pymysql is not installed"),
        ({"url": "postgresql+psycopg://me:secret@127.0.0.1:1/x"}, r"me:\*\*\*@127.0.0.1:1/x cannot be read"),
        ({"table": "nothing"}, "cannot be read: .*nothing"),
        ({"cursor": "changed"}, "there is no cursor column 'changed'; found .*'updated_at'"),
        ({"cursor": "customer"}, "its cursor column 'customer' holds '007', and text has not the order of time"),
        ({"cursor": "amount"}, "its cursor column 'amount' holds .*: it must hold times or whole numbers"),
    ],
)  # fmt: skip
def test__database__mistake__is_a_sentence_without_the_password(tmp_path, change, says):
    """It names the source and what to do; neither it nor its traceback holds the password."""
    (tmp_path / "shop.db").touch()
    shop = Shop(f"sqlite:///{tmp_path}/shop.db", tmp_path)
    shop.sells(1, day(1), amount=5.5)
    database = Database(**{"url": "sqlite:///shop.db", "table": "order_lines", "cursor": "updated_at"} | change)
    declaration = Source("shop", "purchases", folder=tmp_path, select=SELECT, database=database)
    with pytest.raises(IngestError, match=says) as error:
        bring(tmp_path, declaration)

    assert str(error.value).startswith("source 'shop': ")
    assert "secret" not in "".join(traceback.format_exception(error.value)) + repr(declaration)


def test__database__without_rows__says_so_once_and_is_quiet_when_nothing_is_new(shop):
    with pytest.raises(IngestError, match="the database gives no rows; correct its table or query"):
        shop.read()
    shop.sells(1, day(1))
    shop.read(cursor="line_id")
    with shop.engine.begin() as connection:
        connection.execute(shop.lines.delete())

    assert shop.read(cursor="line_id").read == 0


def test__database__sqlite_texts_as_cursor__have_the_order_of_time(tmp_path):
    """SQLite keeps times as text; the day is where reading begins again, whatever stands after it."""
    (tmp_path / "shop.db").touch()
    shop = Shop(f"sqlite:///{tmp_path}/shop.db", tmp_path)
    for number in range(1, 6):
        shop.sells(number, day(number))
    database = Database(
        "sqlite:///shop.db", query="select *, ordered_at as at from order_lines", cursor="at", late_days=1
    )
    declaration = Source("shop", "purchases", folder=tmp_path, select=SELECT, database=database)
    bring(tmp_path, declaration, everything=False)
    shop.sells(6, day(5) + timedelta(hours=3))

    assert bring(tmp_path, declaration, everything=False).read == 3


def test__database__number_as_cursor__finds_rows_that_were_committed_late(shop):
    """Line 2 was drawn before line 3 and committed after it."""
    shop.sells(1, day(1))
    shop.sells(3, day(1))
    shop.read(cursor="line_id")
    shop.sells(2, day(1))
    shop.read(cursor="line_id")
    assert shop.stored == [1, 2, 3]


def test__database__year_one_as_cursor__is_read_from_the_beginning(shop):
    """Many a program writes it where it has no time; a day before it there is none."""
    shop.sells(1, day(1), updated_at=datetime(1, 1, 2, tzinfo=UTC))
    assert (shop.read(late_days=3).kept, shop.read(late_days=3).duplicates) == (1, 1)


@pytest.mark.parametrize("parameter", ["password", "sslpassword"])
def test__database__password_among_the_parameters__is_in_no_error(tmp_path, parameter):
    url = f"postgresql+psycopg://reader@127.0.0.1:1/shop?{parameter}=s3cret"
    source = Source("shop", "purchases", folder=tmp_path, database=Database(url, table="orders"))
    with pytest.raises(IngestError) as error:
        bring(tmp_path, source)
    assert "127.0.0.1:1/shop cannot be read" in str(error.value)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))
