"""Published tables in an SQL database, filled from the Parquet files: all of a night in one transaction.

Rows are deleted and written again, tables are not dropped: who has been granted them or has built views on them keeps
both, and on PostgreSQL and SQLite readers see the night before until this one is complete. A run that is killed leaves
what was there.
"""

import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import sqlalchemy as sa

from serving.database.bulk import driver_of
from serving.database.engine import LOCAL, open_engine, shown, writing
from serving.database.forget import overwrite_what_is_deleted, write_anew
from serving.database.tables import Moment, account_states
from serving.publish.errors import PublishError
from serving.publish.parquet import PublishedFile, nights_of, read_file
from serving.publish.plain_rows import plain, plain_schema
from serving.publish.tables import TABLES, PublishedTable

SCHEMA = "published"
"""Where they are in PostgreSQL, so that they can share a database with the operational ones, whose names some have."""
MANIFEST = "published_tables"
BATCH = 10_000
LOCK_SECONDS = 60
"""How long to wait for whoever holds a lock on the tables; statements themselves may take their time."""


def publish_sql(url: str, files: Sequence[PublishedFile]) -> None:
    """Put the rows of these files into the tables of their names, which are made where they are missing.

    A table that grows keeps other nights, and has this one once; those of its folder that it lacks,
    because they were published while the database was away or before there was one, come with it. A table whose schema has another version than the one
    declared is made anew; one that grows takes its rows along, as far as its columns are still there.
    PublishError for a database that is the operational one; DatabaseUnavailable for one that cannot be used.
    """
    engine = _engine(url)
    try:
        with writing(engine) as connection:
            metadata = _metadata(connection)
            manifest = _prepared(connection, metadata)
            for file in files:
                target = _target(connection, metadata, manifest, file.table)
                _replace(connection, target, manifest, file)
                for path in _missed(connection, target, file) if file.table.grows else ():
                    _fill(connection, target, file.table, path)
    finally:
        engine.dispose()


def forget_in_sql(url: str, account_ids: Collection[str]) -> int:
    """Delete every row of these accounts from the published tables of a database; how many there were.

    DatabaseUnavailable as `serving.database.forget` says.
    """
    engine = _engine(url)
    try:
        with writing(engine) as connection:
            metadata, rows = _metadata(connection), 0
            overwrite_what_is_deleted(connection)
            for table in TABLES.values():
                if "account_id" in table.schema.names and _exists(connection, metadata, table.name):
                    target = table.in_sql(metadata)
                    gone = sa.delete(target).where(target.c.account_id.in_(list(account_ids)))
                    rows += connection.execute(gone).rowcount
        write_anew(engine)
        return rows
    finally:
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    if url.startswith(LOCAL):
        return open_engine(url, wait_seconds=LOCK_SECONDS)
    waits = f"-c lock_timeout={LOCK_SECONDS * 1000} -c timezone=UTC"
    arguments = {"connect_timeout": 10, "options": waits} if url.startswith("postgresql") else {}
    return sa.create_engine(url, connect_args=arguments)


def _metadata(connection: sa.Connection) -> sa.MetaData:
    """For tables where this database has them; PublishError where they would take the place of operational ones."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"create schema if not exists {SCHEMA}"))
        return sa.MetaData(schema=SCHEMA)
    if sa.inspect(connection).has_table(account_states.name):
        raise PublishError(
            f"{shown(connection.engine.url)} is the operational database, whose scores the service reads: "
            "name another database under [publish]"
        )
    return sa.MetaData()


def _prepared(connection: sa.Connection, metadata: sa.MetaData) -> sa.Table:
    """The table that says which tables are published, with which version, for which moment."""
    manifest = sa.Table(
        MANIFEST,
        metadata,
        sa.Column("table_name", sa.String(64), primary_key=True, comment="the published table"),
        sa.Column("version", sa.Integer, nullable=False, comment="the version of its schema"),
        sa.Column("as_of", Moment, nullable=False, comment="the night that published it last"),
        sa.Column("row_count", sa.BigInteger, nullable=False, comment="the rows of that night"),
        comment="Grain: one published table.",
    )
    manifest.create(connection, checkfirst=True)
    return manifest


def _replace(connection: sa.Connection, target: sa.Table, manifest: sa.Table, file: PublishedFile) -> None:
    outdated = sa.delete(target)
    connection.execute(outdated.where(target.c.as_of == file.as_of) if file.table.grows else outdated)
    _fill(connection, target, file.table, file.path)
    connection.execute(sa.delete(manifest).where(manifest.c.table_name == file.table.name))
    entry = {"table_name": file.table.name, "version": file.table.version, "as_of": file.as_of, "row_count": file.rows}
    connection.execute(sa.insert(manifest), entry)


def _target(connection: sa.Connection, metadata: sa.MetaData, manifest: sa.Table, table: PublishedTable) -> sa.Table:
    """The table as declared, empty or with its rows."""
    target = table.in_sql(metadata)
    stored = connection.scalar(sa.select(manifest.c.version).where(manifest.c.table_name == table.name))
    if not _exists(connection, metadata, table.name):
        target.create(connection)
    elif stored != table.version:
        _made_anew(connection, target, table)
    return target


def _made_anew(connection: sa.Connection, target: sa.Table, table: PublishedTable) -> None:
    """In the place of an older version. Rows of earlier nights come along, without columns that either does not have."""
    old = sa.Table(table.name, sa.MetaData(schema=target.schema), autoload_with=connection)
    if not table.grows:
        old.drop(connection)
        target.create(connection)
        return
    new = table.in_sql(sa.MetaData(schema=target.schema), f"{table.name}_v{table.version}")
    new.create(connection)
    shared = [name for name in new.c.keys() if name in old.c]  # noqa: SIM118  a collection of columns, no dict
    connection.execute(sa.insert(new).from_select(shared, sa.select(*(old.c[name] for name in shared))))
    old.drop(connection)
    connection.exec_driver_sql(f"alter table {new.fullname} rename to {table.name}")


def _exists(connection: sa.Connection, metadata: sa.MetaData, name: str) -> bool:
    return sa.inspect(connection).has_table(name, schema=metadata.schema)


def _missed(connection: sa.Connection, target: sa.Table, file: PublishedFile) -> Iterator[Path]:
    """The files of those nights of which the table has nothing."""
    # as_of comes first in the key: each night is one look into its index.
    for as_of, path in nights_of(file.path.parents[1], file.table):
        if not connection.scalar(sa.select(sa.exists().where(target.c.as_of == as_of))):
            yield path


def _fill(connection: sa.Connection, target: sa.Table, table: PublishedTable, path: Path) -> None:
    batches = (plain(table, batch) for batch in read_file(table, path, BATCH))
    if connection.dialect.name == "postgresql":
        _copy(connection, target, plain_schema(table), batches)
    else:
        for batch in batches:
            connection.execute(sa.insert(target), batch.to_pylist())


def _copy(connection: sa.Connection, target: sa.Table, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """PostgreSQL's own way of loading, some twenty times faster than inserts: unquoted nothing is null, quoted nothing is text."""
    columns = ", ".join(schema.names)
    statement = f"copy {target.schema}.{target.name} ({columns}) from stdin (format csv)"
    without_header = pa_csv.WriteOptions(include_header=False)
    with driver_of(connection) as driver, driver.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in batches:
            text = io.BytesIO()
            pa_csv.write_csv(batch, text, without_header)
            copy.write(text.getvalue())
