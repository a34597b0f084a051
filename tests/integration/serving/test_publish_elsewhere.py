"""Published tables in SQL databases and in a .hyper file: the same rows, whole nights, and what others have built on them."""

import builtins
import json
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from published_rows import AS_OF, REASON, ROWS, rows

from serving.database.engine import DatabaseUnavailable, open_engine
from serving.database.upgrade import upgrade
from serving.publish import TABLES, Destination, PublishError, publish, tables
from serving.publish import destinations as publishing
from serving.publish.sql import forget_in_sql

LATER = AS_OF + timedelta(days=1)


def everything(night=AS_OF):
    return {name: [rows(name, [{**row, "as_of": night} for row in ROWS[name]])] for name in TABLES}


@pytest.fixture
def to(empty_database, tmp_path):
    return Destination(tmp_path / "published", empty_database)


@pytest.fixture
def ask(to):
    """Asks the database as a BI tool would."""
    engine = sa.create_engine(to.database)
    place = "published." if engine.dialect.name == "postgresql" else ""

    def ask(query):
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query.format(place=place))]

    yield ask
    engine.dispose()


def stored(to, name):
    """A table as the declaration reads it."""
    engine = open_engine(to.database)
    schema = "published" if engine.dialect.name == "postgresql" else None
    table = TABLES[name].in_sql(sa.MetaData(schema=schema))
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    engine.dispose()
    return found


@pytest.mark.parametrize("name", TABLES)
def test__publish_sql__every_table__holds_the_rows_of_the_files(to, name):
    """Nulls, empty texts, quotes, line ends, old dates and small numbers come through as they are; reasons as JSON."""
    publish(everything(), to, AS_OF)
    wanted = [{column: row.get(column) for column in TABLES[name].schema.names} for row in ROWS[name]]
    found = stored(to, name)
    if name == "scores":
        reasons = {row["account_id"] + row["target"]: row["reasons"] for row in found}
        assert json.loads(reasons["ächurn"]) == [REASON]
        assert (reasons["achurn"], reasons["avalue"]) == ("[]", None)
        wanted = [row | {"reasons": reasons[row["account_id"] + row["target"]]} for row in wanted]
    key = TABLES[name].key
    assert sorted(found, key=lambda row: [row[one] for one in key]) == sorted(
        wanted, key=lambda row: [row[one] for one in key]
    )


def test__publish_sql__next_night__replaces_what_does_not_grow_and_adds_to_what_does(to, ask):
    publish(everything(), to, AS_OF)
    publish(everything(LATER) | {"scores": [rows("scores", ROWS["scores"][:1])]}, to, LATER)
    publish(everything(LATER) | {"scores": [rows("scores", ROWS["scores"][:1])]}, to, LATER)
    counts = {name: ask(f"select count(*) from {{place}}{name}")[0][0] for name in TABLES}
    assert counts == {"accounts": 2, "scores": 1, "score_history": 2, "tier_moves": 2, "health": 1, "kpis": 1}
    manifest = ask("select table_name, version, row_count from {place}published_tables order by table_name")
    assert manifest[-2:] == [("scores", 1, 1), ("tier_moves", 1, 1)]


def test__publish_sql__night_while_the_database_was_away__comes_with_the_next_one(to, ask):
    """Whoever reads the growing tables there must not find a hole that the files do not have."""
    publish(everything(AS_OF - timedelta(days=1)), to, AS_OF - timedelta(days=1))
    away = Destination(to.folder, "postgresql+psycopg://nobody@127.0.0.1:9/bi")
    with pytest.raises(DatabaseUnavailable):
        publish(everything() | {"tier_moves": []}, away, AS_OF)
    for _ in range(2):
        publish(everything(LATER), to, LATER)
    nights = {
        name: sorted(row["as_of"] for row in stored(to, name)) for name in ("score_history", "tier_moves", "kpis")
    }
    assert nights["score_history"] == [AS_OF - timedelta(days=1), AS_OF, LATER]
    assert nights["tier_moves"] == [AS_OF - timedelta(days=1), LATER]
    assert nights["kpis"] == [LATER]
    assert {moment for (moment,) in ask("select count(distinct as_of) from {place}published_tables")} == {1}


def test__publish_sql__missed_night_of_an_older_version__lacks_the_newer_columns(to, ask, monkeypatch):
    publish(everything(), Destination(to.folder), AS_OF)
    monkeypatch.setitem(TABLES, "tier_moves", with_a_column_more(TABLES["tier_moves"]))
    publish({"tier_moves": [rows("tier_moves", [{**ROWS["tier_moves"][0], "as_of": LATER, "who": "me"}])]}, to, LATER)
    assert ask("select after, who from {place}tier_moves order by as_of") == [("growth", None), ("growth", "me")]


def test__publish_sql__views_and_readers_of_the_tables__stay(to, ask):
    """A report is built on a view; the next night may not drop what it rests on."""
    publish(everything(), to, AS_OF)
    engine = sa.create_engine(to.database)
    place = "published." if engine.dialect.name == "postgresql" else ""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"create view high as select account_id from {place}scores where band = 'high'")
    reader = engine.connect()
    assert reader.exec_driver_sql("select * from high").all() == [("ä",)]
    publish({"scores": [rows("scores", ROWS["scores"][1:])]}, to, LATER)
    assert ask("select * from high") == []
    reader.close()
    engine.dispose()


def test__publish_sql__fails_half_way__the_night_before_is_still_there(to, ask, monkeypatch):
    """One transaction for all tables: whoever joins two of them joins one night."""
    publish(everything(), to, AS_OF)
    monkeypatch.setattr("serving.publish.sql.plain", broken_from("kpis", to))
    with pytest.raises(OSError, match="disk"):
        publish(everything(LATER), to, LATER)
    moments = {name: {row["as_of"] for row in stored(to, name)} for name in TABLES}
    assert set.union(*moments.values()) == {AS_OF}


def broken_from(name, to):
    from serving.publish.plain_rows import plain

    def broken(table, batch):
        if table.name == name:
            raise OSError("disk")
        return plain(table, batch)

    return broken


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = {paths!r}
import serving.publish.sql as sql
from test_publish_elsewhere import everything, LATER
from serving.publish import Destination, publish
sql.plain = lambda table, batch: os.kill(os.getpid(), 9) if table.name == "health" else batch_of(table, batch)
from serving.publish.plain_rows import plain as batch_of
publish(everything(LATER), Destination(Path({folder!r}), {url!r}), LATER)
"""


def test__publish_sql__killed_half_way__readers_see_the_night_before_and_it_runs_again(to):
    publish(everything(), to, AS_OF)
    paths = [str(__file__).rsplit("/", 1)[0], *sys.path]
    code = KILLED.format(paths=paths, folder=str(to.folder), url=to.database)
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert {row["as_of"] for name in TABLES for row in stored(to, name)} == {AS_OF}
    publish(everything(LATER), to, LATER)
    assert {row["as_of"] for row in stored(to, "scores")} == {LATER}


def test__publish_sql__newer_version_of_a_table__is_made_anew_and_keeps_the_nights_that_it_had(to, ask, monkeypatch):
    """A column more: nights before have nothing in it."""
    publish(everything(), to, AS_OF)
    for name in ("tier_moves", "health"):
        monkeypatch.setitem(TABLES, name, with_a_column_more(TABLES[name]))
    given = {name: [rows(name, [{**ROWS[name][0], "as_of": LATER, "who": "me"}])] for name in ("tier_moves", "health")}
    publish(given, to, LATER)
    publish(given, to, LATER)
    assert ask("select after, who from {place}tier_moves order by as_of") == [("growth", None), ("growth", "me")]
    assert ask("select who from {place}health") == [("me",)]
    assert ask("select version from {place}published_tables where table_name = 'tier_moves'") == [(2,)]


def with_a_column_more(table):
    who = tables.Column("who", "text", "who", "nobody")
    return tables.PublishedTable(table.name, 2, table.grain, table.key, (*table.columns, who), table.grows)


def test__publish_sql__the_operational_database__is_refused_or_shared_without_harm(to, ask):
    """Some tables have the same name there: what the service reads must not be replaced."""
    engine = open_engine(to.database)
    upgrade(engine)
    if engine.dialect.name == "sqlite":
        with pytest.raises(PublishError, match="is the operational database"):
            publish(everything(), to, AS_OF)
    else:
        publish(everything(), to, AS_OF)
        assert ask("select count(*) from published.scores") == [(3,)]
    assert ask("select count(*) from scores") == [(0,)]
    engine.dispose()


def test__publish_sql__database_that_is_away__says_so_and_the_files_are_there(tmp_path):
    to = Destination(tmp_path, "postgresql+psycopg://nobody:secret@127.0.0.1:9/bi")
    with pytest.raises(DatabaseUnavailable, match=r"nobody:\*\*\*@127.0.0.1:9/bi cannot be used"):
        publish(everything(), to, AS_OF)
    assert (tmp_path / "scores.parquet").is_file()


def test__forget_in_sql__takes_the_rows_of_exactly_these_accounts(to, ask):
    publish(everything(), to, AS_OF)
    assert forget_in_sql(to.database, ["a", "nobody"]) == 6
    assert ask("select account_id from {place}scores") == [("ä",)]
    assert ask("select account_id from {place}accounts") == [("b",)]
    assert ask("select count(*) from {place}kpis") == [(1,)]


def test__forget_in_sql__sqlite__leaves_no_byte_in_the_files_of_nights_before_either(tmp_path):
    """Each night deletes the one before, and SQLite keeps what is deleted until a page is used again."""
    to = Destination(tmp_path / "published", f"sqlite:///{tmp_path}/bi.db")
    for number in range(3):
        named = [{**ROWS["scores"][0], "account_id": f"unmistakable-id {one}"} for one in range(900 - 300 * number)]
        publish({"scores": [rows("scores", named)]}, to, AS_OF + timedelta(days=number))
    reader = open_engine(to.database)
    with reader.connect() as connection:
        connection.exec_driver_sql("select 1 from scores").all()
    forget_in_sql(to.database, [f"unmistakable-id {one}" for one in range(900)])
    assert not [path for path in tmp_path.glob("bi.db*") if b"unmistakable-id" in path.read_bytes()]
    reader.dispose()


def test__publish_hyper__holds_every_table_with_all_nights(tmp_path):
    """Read back by Tableau's own library."""
    pantab = pytest.importorskip("pantab")
    to = Destination(tmp_path, hyper=True)
    publish(everything(), to, AS_OF)
    path = publish(everything(LATER), to, LATER).hyper
    assert [one.name for one in tmp_path.glob("*.hyper")] == ["foresail.hyper"] == [path.name]
    found = pantab.frames_from_hyper(path, return_type="pyarrow")
    held = {str(name[-1] if isinstance(name, tuple) else name).strip('"'): table for name, table in found.items()}
    assert {name: table.num_rows for name, table in held.items()} == {
        "accounts": 2, "scores": 3, "score_history": 2, "tier_moves": 2, "health": 1, "kpis": 1,
    }  # fmt: skip
    scores = {(row["account_id"], row["target"]): row for row in held["scores"].to_pylist()}
    assert json.loads(scores["ä", "churn"]["reasons"]) == [REASON]
    assert scores["ä", "churn"]["probability"] == 0.1 + 0.2
    assert scores["a", "value"]["why_not"] == "too young"
    assert {row["as_of"] for row in held["tier_moves"].to_pylist()} == {AS_OF, LATER}


def test__publish_hyper__extra_not_installed__names_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "pantab":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PublishError, match=r"foresail\[tableau\]"):
        publishing.publish({"kpis": [rows("kpis")]}, Destination(tmp_path, hyper=True), AS_OF)
    assert (tmp_path / "kpis.parquet").is_file()
