"""The history on disk: one Delta Lake table per stream, partitioned by bucket, sorted inside a bucket.

The bucket of an account is a hash of its id, so that a bucket holds whole accounts and is the unit of all work.
Inside a bucket rows stand in canonical order (`canonical_order`), so that a reader finds an account's events
together and in the order in which they became known, whatever the order of the files they came from.

Every write is one atomic Delta commit and leaves the versions before it readable: a training run notes
`History.versions()` and `History.at(versions)` reads the same rows again. Nothing here vacuums: `features.history.retention`
does, keeps the versions that models were trained on, and reports what it removes. Do not let other tools rewrite these
tables (compaction,
Z-order): rows would lose their order, and a reader would have to sort them again at every read.
"""

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from features.errors import ExitCode, ForesailError
from features.history.file_lock import file_lock
from features.history.streams import STREAMS, Stream

TEXT = pa.string()
ENCODED_TEXT = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")
ARROW_TYPES: dict[str, pa.DataType] = {"text": TEXT, "number": pa.float64(), "time": TIME}

BUCKETS_KEY = "foresail.buckets"
"""Property of a Delta table: the number of its buckets."""

LOG_RETENTION = "delta.logRetentionDuration"
KEEP_LOG = "interval 36500 days"
"""By default Delta drops its log after a month: the table of a model trained before could not be rebuilt."""

UNREADABLE_IN_PATH = "[]%\\^|`"

# Moments in order are close to each other: as differences they take a tenth less room and a third less time to read.
_TIMES = ColumnProperties(dictionary_enabled=False, encoding="DELTA_BINARY_PACKED")
WRITTEN_AS = WriterProperties(compression="ZSTD", column_properties={"known_at": _TIMES, "occurred_at": _TIMES})

# One file per bucket: several files of a bucket would have to be merged at every read.
ONE_FILE = 1 << 40


class HistoryError(ForesailError):
    """The history cannot be read or written; the message says why and what to do."""

    exit_code = ExitCode.DATA


def stream_called(name: str) -> Stream:
    """The stream `name`; HistoryError that lists the streams if there is none."""
    if name not in STREAMS:
        raise HistoryError(f"there is no stream '{name}'; the streams are {', '.join(STREAMS)}")
    return STREAMS[name]


def canonical_order(stream: Stream) -> list[str]:
    """The columns rows are sorted by: account_id, known_at, occurred_at, the stream's own, event_id.

    Ascending, nulls first, text by its UTF-8 bytes. The order is total: (account_id, event_id) is unique.
    """
    return ["account_id", "known_at", "occurred_at", *(column.name for column in stream.own_columns), "event_id"]


def stored_schema(stream: Stream) -> pa.Schema:
    """The columns of a stream's table: the stream's own, the source a row came from, its bucket."""
    columns = [pa.field(column.name, ARROW_TYPES[column.type]) for column in stream.columns]
    return pa.schema([*columns, pa.field("source", TEXT), pa.field("bucket", pa.int32())])


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table version: where it is (relative to the table), its bucket and its number of rows."""

    path: str
    bucket: int
    rows: int


@dataclass(frozen=True)
class Snapshot:
    """One version of one Delta table: the files it is made of."""

    version: int
    files: tuple[DataFile, ...]
    filesystem: pa_fs.FileSystem

    def of(self, bucket: int) -> list[DataFile]:
        """The files of one bucket, in a fixed order."""
        return sorted((file for file in self.files if file.bucket == bucket), key=lambda file: file.path)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


class History:
    """All streams of a company, in the folder or at the object-store URL `root`.

    `buckets` is fixed when a table is first written; opening it with another number is an error. `pinned` maps a
    stream to the version to read; a stream that it does not name is read as empty. Without `pinned` every read
    takes the newest version, so a long computation that may run beside an ingest should pin itself first:
    `history.at(history.versions())`. `storage_options` are those of Delta Lake for S3, Azure and Google.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        buckets: int = 16,
        storage_options: dict[str, str] | None = None,
        pinned: Mapping[str, int] | None = None,
    ) -> None:
        if buckets < 1:
            raise HistoryError(f"a history needs at least one bucket, not {buckets}")
        self.root = str(root).rstrip("/")
        self._check_root()
        self.buckets = buckets
        self.storage_options = storage_options
        self.pinned = None if pinned is None else dict(pinned)
        self._snapshots: dict[tuple[str, int], Snapshot] = {}

    def __repr__(self) -> str:
        return f"History({self.root!r}, buckets={self.buckets}, pinned={self.pinned})"

    def __getstate__(self) -> dict[str, Any]:
        # Open file systems cannot travel to another process; they are opened again there.
        return self.__dict__ | {"_snapshots": {}}

    def _check_root(self) -> None:
        """Delta Lake reads a folder's path as an address, in which these characters mean something else."""
        unreadable = [mark for mark in UNREADABLE_IN_PATH if self.is_local and mark in self.root]
        if unreadable:
            raise HistoryError(
                f"the history cannot be kept in {self.root}: Delta Lake does not read paths with {' '.join(unreadable)}",
                "Rename the folder, or set root under [history] to another one",
            )

    @property
    def is_local(self) -> bool:
        """Whether the history is a folder of this machine."""
        return "://" not in self.root

    def uri(self, table: str) -> str:
        """Where a table of the history is: a stream, or the quarantine."""
        return f"{self.root}/{table}"

    def bucket_of(self, account_id: str) -> int:
        """The bucket that holds an account; the same in SQL: md5_number_lower(account_id) % buckets."""
        digest = hashlib.md5(account_id.encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest[8:], "little") % self.buckets

    def buckets_of(self, account_ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """The buckets of many accounts, in their order; a bucket is computed once for each distinct id."""
        encoded = account_ids.dictionary_encode().unify_dictionaries().combine_chunks()
        distinct = np.array(
            [self.bucket_of(account_id) for account_id in encoded.dictionary.to_pylist()], dtype=np.int64
        )
        return np.asarray(distinct[encoded.indices.to_numpy()])

    def versions(self) -> dict[str, int]:
        """The version of each stream that exists (of those pinned, if it is)."""
        if self.pinned is not None:
            return dict(self.pinned)
        snapshots = {stream: self.snapshot(stream) for stream in STREAMS}
        return {stream: snapshot.version for stream, snapshot in snapshots.items() if snapshot}

    def at(self, versions: Mapping[str, int]) -> "History":
        """The same history as it was at earlier versions."""
        return History(self.root, buckets=self.buckets, storage_options=self.storage_options, pinned=versions)

    def read(self, stream: str, bucket: int, columns: Sequence[str]) -> pa.Table:
        """The rows of one bucket in canonical order.

        Text comes as dictionary<int32, string>, times as timestamp[us, UTC], numbers as float64; absent values are
        null; every column is one chunk. An empty table of these types where nothing is stored. `columns` are those
        of the stream and `source`; HistoryError for any other, and for a bucket that does not exist.
        """
        known = [name for name in stored_schema(stream_called(stream)).names if name != "bucket"]
        _check_columns(stream, columns, known)
        if not 0 <= bucket < self.buckets:
            raise HistoryError(f"there is no bucket {bucket}: the history has {self.buckets}, numbered from 0")
        snapshot = self.snapshot(stream)
        files = snapshot.of(bucket) if snapshot else []
        if snapshot is None or not files:
            return encoded_schema(stream_called(stream), columns).empty_table().combine_chunks()
        try:
            return _read_in_order(snapshot.filesystem, files, stream_called(stream), columns)
        except FileNotFoundError as gone:
            raise HistoryError(
                f"{self.uri(stream)} cannot be read at version {snapshot.version}: its files were vacuumed away "
                f"({Path(str(gone.filename or gone)).name})",
                "Take a newer version",
            ) from gone

    def rows_of(self, table: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """All rows of a table that is not divided into buckets, in no particular order; None where there is none."""
        delta_table = self.table(table)
        if delta_table is None:
            return None
        # Not through Delta's own file system, which is made of Python: threads of Arrow that let go of it when Python has
        # ended abort the process, one command in a hundred on a busy machine, though all its work was done.
        dataset = delta_table.to_pyarrow_dataset(filesystem=self.filesystem(table))
        return dataset.to_table(columns=None if columns is None else list(columns))

    def table(self, name: str, version: int | None = None) -> DeltaTable | None:
        """The Delta table of a stream or of the quarantine, None where nothing was ever written.

        HistoryError if the version does not exist, or if the table is divided into another number of buckets.
        """
        if self.is_local and not (Path(self.uri(name)) / "_delta_log").is_dir():
            return None
        try:
            table = DeltaTable(self.uri(name), version=version, storage_options=self.storage_options)
        except DeltaError as error:
            if version is None and isinstance(error, TableNotFoundError):
                return None
            which = "" if version is None else f" at version {version} (never written, or vacuumed away)"
            raise HistoryError(f"{self.uri(name)} cannot be read{which}: {error}") from error
        self._check_buckets(name, table)
        return table

    def snapshot(self, table: str) -> Snapshot | None:
        """The files of the pinned or else the newest version of a table; None where there is none."""
        version = None if self.pinned is None else self.pinned.get(table)
        if self.pinned is not None and version is None:
            return None
        if version is not None and (table, version) in self._snapshots:
            return self._snapshots[table, version]
        delta_table = self.table(table, version)
        if delta_table is None:
            return None
        snapshot = Snapshot(delta_table.version(), _data_files(delta_table), self.filesystem(table))
        if version is not None:
            self._snapshots[table, version] = snapshot
        return snapshot

    def lock(self) -> AbstractContextManager[None]:
        """Held while writing, so that two ingests cannot interleave; it dies with the process that holds it.

        HistoryError at once if another process holds it. At an object store there is no such lock: Delta's own
        check for conflicting commits makes the second of two concurrent writers fail.
        """
        return file_lock(Path(self.root) / ".lock", HistoryError) if self.is_local else nullcontext()

    def replace(self, stream: str, buckets: Sequence[int], batches: Iterable[pa.RecordBatch]) -> None:
        """Replace whole buckets of a stream in one atomic commit.

        `batches` have the columns of `stored_schema`; each holds all rows of one bucket, in canonical order. A bucket
        that has no batch is emptied. If the iterator raises, nothing is committed and the exception goes on to the
        caller. HistoryError for a batch of several buckets or a bucket of several batches: the writer would lose
        their order.
        """
        self._write(
            stream,
            stored_schema(stream_called(stream)),
            _one_bucket_each(batches, set(buckets)),
            partition_by=["bucket"],
            mode="overwrite",
            predicate=f"bucket in ({', '.join(map(str, sorted(buckets)))})",
        )

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table that is not divided into buckets, in one atomic commit."""
        self._write(table, rows.schema, iter(rows.to_batches()), mode="append")

    def rewrite(self, table: str, rows: pa.Table) -> None:
        """Put rows in the place of all that a table holds which is not divided into buckets, in one atomic commit."""
        self._write(table, rows.schema, iter(rows.to_batches()), mode="overwrite")

    def _write(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], **how: Any) -> None:
        if self.pinned is not None:
            raise HistoryError(
                f"{self!r} is pinned to earlier versions and cannot be written; open it without `pinned`"
            )
        self._create(table, schema, how.get("partition_by"))
        failures: list[BaseException] = []
        reader = pa.RecordBatchReader.from_batches(schema, _noting_failures(batches, failures))
        # A stream may have gained columns since the table was made.
        options = {"storage_options": self.storage_options, "target_file_size": ONE_FILE, "schema_mode": "merge", **how}
        try:
            write_deltalake(self.uri(table), reader, writer_properties=WRITTEN_AS, **options)
        except DeltaError as error:
            # The writer turns the exception of the iterator into text: the original says more.
            raise (failures[0] if failures else HistoryError(f"{self.uri(table)} was not written: {error}")) from error

    def _create(self, table: str, schema: pa.Schema, partition_by: list[str] | None) -> None:
        if self.table(table) is not None:
            return
        DeltaTable.create(
            self.uri(table),
            schema,
            partition_by=partition_by,
            configuration={BUCKETS_KEY: str(self.buckets), LOG_RETENTION: KEEP_LOG, **_statistics(schema)},
            raise_if_key_not_exists=False,
            storage_options=self.storage_options,
        )

    def _check_buckets(self, name: str, table: DeltaTable) -> None:
        stored = table.metadata().configuration.get(BUCKETS_KEY)
        if stored != str(self.buckets):
            raise HistoryError(
                f"{self.uri(name)} is divided into {stored} buckets, but {self.buckets} were asked for",
                f"Set buckets = {stored} under [history], or move the old history away and ingest again",
            )

    def filesystem(self, name: str) -> pa_fs.FileSystem:
        """The folder of a table, as Arrow sees it."""
        if self.is_local:
            return pa_fs.SubTreeFileSystem(self.uri(name), pa_fs.LocalFileSystem())
        return pa_fs.PyFileSystem(DeltaStorageHandler(self.uri(name), self.storage_options))


def _statistics(schema: pa.Schema) -> dict[str, str]:
    """Statistics in the log are of times alone: an account's id in it would outlive the account's erasure."""
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    return {"delta.dataSkippingStatsColumns": ",".join(times)} if times else {"delta.dataSkippingNumIndexedCols": "0"}


def encoded_schema(stream: Stream, columns: Sequence[str]) -> pa.Schema:
    """The types in which `History.read` returns columns of a stream."""
    stored = stored_schema(stream)
    types = [ENCODED_TEXT if stored.field(name).type == TEXT else stored.field(name).type for name in columns]
    return pa.schema(list(zip(columns, types, strict=True)))


def _check_columns(stream: str, columns: Sequence[str], known: Sequence[str]) -> None:
    for name in columns:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=3)
            hint = f"nearest: {', '.join(nearest)}" if nearest else f"it has {', '.join(known)}"
            raise HistoryError(f"stream '{stream}' has no column '{name}'; {hint}")


def _data_files(table: DeltaTable) -> tuple[DataFile, ...]:
    actions = pa.table(table.get_add_actions(flatten=True))
    buckets = actions["partition.bucket"].to_pylist() if "partition.bucket" in actions.column_names else None
    paths, rows = actions["path"].to_pylist(), actions["num_records"].to_pylist()
    return tuple(map(DataFile, paths, buckets or [0] * len(paths), rows))


def one_batch(rows: pa.Table) -> pa.RecordBatch:
    """A table as one batch; HistoryError if a text column exceeds the limit of one batch (2 GiB)."""
    batches = rows.combine_chunks().to_batches()
    if len(batches) != 1:
        raise HistoryError(
            f"{rows.num_rows:,} rows are too many or none for one bucket; set more buckets under [history]"
        )
    return batches[0]


def _one_bucket_each(batches: Iterable[pa.RecordBatch], expected: set[int]) -> Iterator[pa.RecordBatch]:
    awaited = set(expected)
    for batch in batches:
        buckets = set(pc.unique(batch.column("bucket")).to_pylist())
        if len(buckets) != 1 or not buckets <= awaited:
            raise HistoryError(f"a batch holds bucket {sorted(buckets)}; one of {sorted(awaited)} was expected, whole")
        awaited -= buckets
        yield batch


def _noting_failures(batches: Iterable[pa.RecordBatch], failures: list[BaseException]) -> Iterator[pa.RecordBatch]:
    try:
        yield from _from_a_thread(iter(batches))
    except BaseException as failure:
        failures.append(failure)
        raise


def _from_a_thread(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, each made while the one before it is written.

    The writer asks for them from inside its own asynchronous runtime, where anything that itself reads a Delta table
    would panic; a thread of our own may.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        upcoming = thread.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = thread.submit(next, batches, None)
            yield batch


def _read_in_order(
    filesystem: pa_fs.FileSystem, files: Sequence[DataFile], stream: Stream, columns: Sequence[str]
) -> pa.Table:
    order = canonical_order(stream)
    wanted = list(dict.fromkeys([*columns, *order[:2]]))
    if len(files) == 1:
        table = _read_file(filesystem, files[0].path, stream, wanted)
        if _is_ordered(table):
            return table.select(list(columns))
    wanted = list(dict.fromkeys([*columns, *order]))
    table = pa.concat_tables([_read_file(filesystem, file.path, stream, wanted) for file in files])
    return _one_chunk(_sorted(table, order).select(list(columns)))


def in_canonical_order(rows: pa.Table, stream: Stream) -> pa.Table:
    """Rows of a stream, all columns of its order among them, sorted as they are stored."""
    return _one_chunk(_sorted(rows, canonical_order(stream)))


def _read_file(filesystem: pa_fs.FileSystem, path: str, stream: Stream, columns: Sequence[str]) -> pa.Table:
    schema = encoded_schema(stream, columns)
    metadata = pq.read_metadata(path, filesystem=filesystem)
    present = [name for name in columns if name in metadata.schema.names]
    texts = [name for name in present if schema.field(name).type == ENCODED_TEXT]
    with pq.ParquetFile(path, metadata=metadata, filesystem=filesystem, read_dictionary=texts, pre_buffer=True) as file:
        table = file.read(columns=present)
    # A file may be older than a column of the stream, which is then absent.
    for name in columns:
        if name not in present:
            table = table.append_column(name, pa.nulls(metadata.num_rows, schema.field(name).type))
    return _one_chunk(table.select(list(columns)).cast(schema))


def _one_chunk(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries().combine_chunks()


def _is_ordered(table: pa.Table) -> bool:
    """Whether rows are ordered by (account_id, known_at); all text of `table` is in one chunk."""
    if table.num_rows < 2:
        return True
    accounts = table["account_id"].chunk(0)
    names = accounts.dictionary
    # Codes are given by first appearance, so that ordered rows have an ordered dictionary.
    if len(names) > 1 and not pc.all(pc.less(names[:-1], names[1:])).as_py():
        return False
    codes, times = accounts.indices.to_numpy(), table["known_at"].cast(pa.int64()).to_numpy()
    later = (codes[1:] == codes[:-1]) & (times[1:] >= times[:-1])
    return bool(np.all((codes[1:] > codes[:-1]) | later))


def _sorted(table: pa.Table, order: Sequence[str]) -> pa.Table:
    plain = table.select(list(order))
    for position, name in enumerate(order):
        if plain.schema.field(name).type == ENCODED_TEXT:
            plain = plain.set_column(position, name, plain[name].cast(TEXT))
    keys = [(name, "ascending", "at_start") for name in order]
    return table.take(pc.sort_indices(plain, sort_keys=keys))
