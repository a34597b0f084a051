"""Where rows come from: files and databases of a company, and the SQL that maps them onto a stream's columns."""

# ruff: noqa: S608  the SQL is the user's own, on a connection that can open the source's files and nothing else

import codecs
import glob
import gzip
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

import duckdb

from features.errors import ExitCode, ForesailError
from features.locked_duckdb import locked_duckdb

FORMATS = {
    "csv": (".csv", ".tsv", ".txt"),
    "parquet": (".parquet", ".pq"),
    "json": (".json", ".jsonl", ".ndjson"),
    "excel": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}
"""Formats that can be read and the suffixes that announce them; `.gz` may follow those of csv and json."""

READER_DEFAULTS: dict[str, dict[str, Any]] = {
    # As text, because a guess from the values would turn account '00123' into 123, or not, depending on the other rows.
    # No skipped lines, comments or padding: DuckDB's guesses for these drop malformed rows without a word.
    # Nor may it guess the quote from its sample: one late quoted value would become an id with quotes in it.
    "csv": {
        "all_varchar": True,
        "header": True,
        "skip": 0,
        "comment": "",
        "quote": '"',
        "escape": '"',
        "union_by_name": True,
    },
    "parquet": {"union_by_name": True},
    # No row is beyond the sample; and times stay text, because a guessed one has lost its offset.
    "json": {"sample_size": -1, "dateformat": "none", "timestampformat": "none", "union_by_name": True},
}
READERS = {"csv": "read_csv", "parquet": "read_parquet", "json": "read_json"}

FILE = "foresail_file"
"""A column that the reader adds for the length of an ingest: the file of a row."""

RESERVED = ("source", "mapped", "staged")
"""Tables of an ingest whose names no further table may have, nor any that begins with `foresail_`."""

POSTED = "posted"
"""The source of events that were posted to the service; no other may have its name."""

OPENED_BY_EXCEL = "~$"
"""The beginning of the name of the file that Excel puts beside a workbook while the workbook is open."""

ENCODINGS_OF_READER = ("latin-1", "utf-16")


class IngestError(ForesailError):
    """A source cannot be ingested; the message names the source, the file, what is wrong and what to do."""

    exit_code = ExitCode.DATA


@dataclass(frozen=True)
class Database:
    """Which rows of which database are a source.

    `url` is SQLAlchemy's; ${NAME} in it is the environment's variable NAME, so that no password need stand in a file.
    Either `table` (with its schema: sales.orders) or `query` is read. `cursor` is the column by which new
    rows are recognised: the time at which a row is written or changed (best), or a number that grows. Without a cursor
    all rows are read every time.
    """

    url: str = field(repr=False)
    query: str | None = None
    table: str | None = None
    cursor: str | None = None
    late_days: int = 1


@dataclass(frozen=True)
class Source:
    """One source of one stream.

    `pattern` is a glob, relative to `folder` unless absolute. `select` is one SQL query over the table `source`,
    which holds all files together (columns matched by name). CSV columns are text there, so arithmetic needs a
    cast: `try_cast(Quantity as double)`. `format` is csv, parquet, json or excel; without it the suffix decides.
    `tables` gives names to further files that the select may join: the headers of order lines, a product list.
    `options` go to DuckDB's reader, or are Excel's `sheet` and `skip`; `encoding` may be any that Python knows.
    With `database` the table `source` holds the rows that are read there, and `pattern` has no meaning.
    """

    name: str
    stream: str
    pattern: str = ""
    folder: Path = Path()
    select: str = "select * from source"
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    database: Database | None = None

    def lookups(self) -> "dict[str, Source]":
        """The further tables that the select may join, as sources of their own; options are those of their format."""
        return {name: self._lookup(name, pattern) for name, pattern in self.tables.items()}

    def _lookup(self, name: str, pattern: str) -> "Source":
        table = Source(f"{self.name}.tables.{name}", self.stream, pattern, self.folder)
        same_format = file_format(table) == file_format(self)
        return replace(table, options=self.options) if same_format else table

    def present(self) -> list[Path]:
        """The files that match now, sorted; none where there is none."""
        # Not Path.glob: it refuses absolute patterns.
        matches = [self.folder / name for name in glob.glob(self.pattern, root_dir=self.folder, recursive=True)]  # noqa: PTH207
        return sorted(
            path.resolve() for path in matches if path.is_file() and not path.name.startswith(OPENED_BY_EXCEL)
        )

    def files(self) -> list[Path]:
        """The files that match, sorted; IngestError if there is none, or one is empty."""
        files = self.present()
        if not files:
            raise self.error(
                f"no file matches from = '{self.pattern}' in {self.folder}; correct the path or the pattern"
            )
        for path in files:
            if self._is_empty(path):
                raise self.error(f"{path.name} is empty (no header, no rows); export it again, or move it away")
        return files

    def _is_empty(self, path: Path) -> bool:
        try:
            with _open(path) as file:
                return not file.read(4).strip(codecs.BOM_UTF8 + b"\r\n ")
        except (OSError, EOFError) as error:
            raise self.error(f"{path.name} cannot be opened ({error}); export it again, or move it away") from error

    def error(self, message: str, remedy: str = "") -> IngestError:
        """An IngestError that begins with the source's name."""
        return IngestError(f"source '{self.name}': {message}", remedy)


def create_source_views(
    connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path, fetched: Sequence[Path] = ()
) -> list[Path]:
    """Create the view `source` and one for each of its further tables; the files that are read for `source`.

    `scratch` holds re-encoded copies; `fetched` are the Parquet files that hold a database's rows.
    """
    tables = {"source": source, **source.lookups()}
    files = {name: _create_view(connection, name, table, scratch, fetched) for name, table in tables.items()}
    allowed = [str(path) for paths in files.values() for path in paths]
    connection.execute(f"set allowed_paths = {literal(allowed)}")
    return files["source"]


def leave_out(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Make the view `source` pass over some of its files; all of them still decide about columns and types."""
    names = literal([str(path) for path in files])
    others = f"select * exclude ({FILE}) from foresail_files where {FILE} not in {names}"
    connection.execute(f"create or replace view source as {others}")


def _create_view(
    connection: duckdb.DuckDBPyConnection, name: str, table: Source, scratch: Path, fetched: Sequence[Path]
) -> list[Path]:
    files, options = (list(fetched), READER_DEFAULTS["parquet"]) if table.database else _readable(table, scratch)
    try:
        call = _reader_call(table, files, options)
        if file_format(table) == "json":
            call = _reader_call(table, files, {**options, "columns": _json_columns(connection, call)})
        connection.execute(f"create view {identifier(name)} as select * from {call}")
        if name == "source" and "filename" not in options:
            call = _reader_call(table, files, {**options, "filename": FILE})
            connection.execute(f"create view foresail_files as select * from {call}")
    except duckdb.Error as error:
        raise reading_error(table, files, error) from error
    return files


def takes_rows_singly(connection: duckdb.DuckDBPyConnection, source: Source) -> bool:
    """Whether each row that the select returns comes from one row of `source` alone.

    Only then do new files give the same rows without the old ones: a sum, a rank, a limit would be another. It is
    read off the plan that DuckDB makes for tables of the same shape; an operator that is not known to be harmless counts as harmful.
    """
    if not connection.execute("select 1 from duckdb_views() where view_name = 'foresail_files'").fetchall():
        return False
    with locked_duckdb() as empty:
        for name in ("source", *source.tables):
            columns = connection.execute(f"describe {identifier(name)}").fetchall()
            shape = ", ".join(f"{identifier(column)} {kind}" for column, kind, *_ in columns)
            empty.execute(f"create table {identifier(name)} ({shape})")
        empty.execute("set explain_output = 'all'")
        try:
            plans = dict(empty.execute(f"explain (format json) {source.select.strip().rstrip(';')}").fetchall())
        except duckdb.Error:
            # The error of a select that cannot be planned is raised when the select is used.
            return False
    (root,) = json.loads(plans["logical_plan"])
    return _is_row_by_row(root)


ONE_TO_ONE = ("PROJECTION", "FILTER", "SEQ_SCAN", "UNNEST", "ORDER_BY")
JOINS_THAT_KEEP_THE_LEFT = ("INNER", "LEFT", "SEMI", "ANTI", "MARK", "SINGLE")


def _is_row_by_row(node: Mapping[str, Any]) -> bool:
    children = [child for child in node["children"] if _reads_source(child)]
    if not children:
        return True
    if node["name"] in ONE_TO_ONE:
        return all(map(_is_row_by_row, children))
    if node["name"] != "COMPARISON_JOIN" or len(children) > 1:
        return False
    kind, is_left = node["extra_info"].get("Join Type"), children[0] is node["children"][0]
    return (kind == "INNER" or (is_left and kind in JOINS_THAT_KEEP_THE_LEFT)) and _is_row_by_row(children[0])


def _reads_source(node: Mapping[str, Any]) -> bool:
    if node["name"] == "SEQ_SCAN":
        return str(node["extra_info"].get("Table", "")).replace('"', "").endswith(".source")
    # The plan does not show the content of a common table expression where the expression is used.
    return node["name"] in {"CTE", "CTE_SCAN"} or any(map(_reads_source, node["children"]))


def _reader_call(table: Source, files: Sequence[Path], options: Mapping[str, Any]) -> str:
    settings = "".join(f", {identifier(key)} = {literal(value)}" for key, value in options.items())
    reader = READERS.get(file_format(table), "read_parquet")
    return f"{reader}({literal([str(path) for path in files])}{settings})"


def _plainly_named(path: Path, scratch: Path) -> Path:
    """The file under a name that the reader does not take for a pattern, which brackets and stars in a name would be."""
    if not re.search(r"[\[\]*?]", str(path)):
        return path
    link = _new_name(path, scratch)
    link.symlink_to(path)
    return link


def _new_name(path: Path, scratch: Path) -> Path:
    plain = re.sub(r"[^\w.]", "_", path.name)
    return scratch / f"{len(list(scratch.iterdir()))}-{plain}"


def _json_columns(connection: duckdb.DuckDBPyConnection, call: str) -> dict[str, str]:
    """Every plain value as the text that the file has: a guessed type would turn 00123 into 123, or ids into floats."""
    described = connection.execute(f"describe select * from {call}").fetchall()
    return {name: kind if _is_nested(kind) else "VARCHAR" for name, kind, *_ in described}


def _is_nested(kind: str) -> bool:
    return kind.startswith(("STRUCT", "MAP")) or kind.endswith("]")


def file_format(source: Source) -> str:
    """The format of a source's files: as declared, else by the suffix they share; `database` for a database."""
    if source.database is not None:
        return "database"
    if source.format is not None:
        return source.format
    files = source.files()
    formats = {_format_by_suffix(path) for path in files}
    if len(formats) == 1 and (known := formats.pop()) is not None:
        return known
    suffixes = sorted({path.suffix for path in files})
    raise source.error(
        f"cannot tell the format of {', '.join(suffixes)} files; set format = csv, parquet, json or excel"
    )


def create_mapped_view(connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path]) -> dict[str, str]:
    """Create `mapped`, the result of the source's select; its columns and their SQL types.

    Ingest reads it twice: Parquet where it is, a format that is slow to read from a copy.
    """
    query = _one_query(connection, source)
    kind = "table" if file_format(source) in {"csv", "json"} else "view"
    try:
        # As a view first, to tell a mistake in the select from a mistake in the rows.
        connection.execute(f"create view mapped as {query}")
        types = {name: str(kind) for name, kind, *_ in connection.execute("describe mapped").fetchall()}
    except duckdb.Error as error:
        raise _select_error(connection, source, files, error) from error
    if kind == "table":
        try:
            connection.execute(f"drop view mapped; create table mapped as {query}")
        except duckdb.Error as error:
            raise reading_error(source, files, error) from error
    return types


def reading_error(source: Source, files: Sequence[Path], error: duckdb.Error) -> IngestError:
    """The error of reading or mapping the rows of a source, with a remedy where one is known."""
    text, where = str(error), _names(files)
    if "utf-8 encoded" in text or "unicode" in text.lower() or "utf-16" in text.partition("\n")[0].lower():
        encoding = source.options.get("encoding", "utf-8")
        return source.error(
            f"{_file_named_in(text) or where} is not encoded in {encoding}; name its encoding, "
            'for example options = { encoding = "latin-1" }'
        )
    if isinstance(error, duckdb.ConversionException):
        return source.error(
            f"a cast in its select fails on {where}: {_essence(text)}",
            "Write try_cast(column as type): what cannot be cast becomes null, or select the column as it is: "
            "rows whose text is no number or time are then refused one by one, with the reason",
        )
    return source.error(f"{where} cannot be read: {_essence(text)}", "Correct the file, or the source's options")


def literal(value: Any) -> str:
    """A Python value as SQL: text, numbers, truth values, lists and tables."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(str(key))}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _format_by_suffix(path: Path) -> str | None:
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    return next((name for name, suffixes in FORMATS.items() if suffix.lower() in suffixes), None)


def _readable(source: Source, scratch: Path) -> tuple[list[Path], dict[str, Any]]:
    """The files as DuckDB can read them, in their order, and reader options; other files are copied into `scratch`."""
    files = source.files()
    if file_format(source) == "excel":
        return [_from_excel(source, path, scratch) for path in files], dict(READER_DEFAULTS["parquet"])
    stated = {key.lower(): value for key, value in source.options.items()}
    if stated.get("ignore_errors"):
        raise source.error("ignore_errors would drop rows without a word; remove it and correct what it hides")
    encoding = str(stated.pop("encoding", "utf-8"))
    options = READER_DEFAULTS[file_format(source)] | stated
    if encoding.lower() == "utf-8":
        return [_plainly_named(path, scratch) for path in files], options
    if encoding in ENCODINGS_OF_READER and file_format(source) == "csv":
        return [_plainly_named(path, scratch) for path in files], options | {"encoding": encoding}
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise source.error(f"there is no encoding '{encoding}'; try latin-1, cp1252, gb18030 or utf-16") from None
    return [_as_utf8(source, path, encoding, scratch) for path in files], options


def _from_excel(source: Source, path: Path, scratch: Path) -> Path:
    table = _new_name(path.with_suffix(".parquet"), scratch)
    from features.history.ingest import excel

    excel.write_as_parquet(path, source.options, table, source.error)
    return table


def _as_utf8(source: Source, path: Path, encoding: str, scratch: Path) -> Path:
    copy = _new_name(path.with_name(path.name.removesuffix(".gz")), scratch)
    try:
        with _open(path) as raw, copy.open("w", encoding="utf-8", newline="") as out:
            text = io.TextIOWrapper(raw, encoding=encoding, newline="")
            shutil.copyfileobj(text, out, 1 << 20)
    except UnicodeDecodeError as error:
        raise source.error(f"{path.name} is not encoded in {encoding} ({error.reason}); name its encoding") from error
    except (OSError, EOFError) as error:
        raise source.error(f"{path.name} cannot be read to its end ({error}); export it again") from error
    return copy


def _one_query(connection: duckdb.DuckDBPyConnection, source: Source) -> str:
    try:
        statements = connection.extract_statements(source.select)
    except duckdb.Error as error:
        raise source.error(f"its select is not valid SQL: {_essence(str(error))}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise source.error(f"its select must be one SELECT query, found {kinds}")
    return str(statements[0].query)


def _select_error(
    connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path], error: duckdb.Error
) -> IngestError:
    columns = [name for name, *_ in connection.execute("describe source").fetchall()]
    message = f"its select does not fit {_names(files)}: {_essence(str(error))}; found columns {columns}"
    if looks_unsplit(columns):
        return source.error(message, ONE_COLUMN)
    if "explicit" in str(error) and "cast" in str(error) and file_format(source) == "csv":
        return source.error(message, "CSV columns are text: write try_cast(column as double)")
    return source.error(message, "Correct the select")


ONE_COLUMN = 'The file was read as one column: name its delimiter, options = { delim = "," }'


def looks_unsplit(columns: Sequence[str]) -> bool:
    """Whether a CSV's header was not split: its delimiter is another one, or some row has more fields than the header."""
    return len(columns) == 1 and any(mark in columns[0] for mark in ",;|\t")


def _essence(text: str) -> str:
    """The part of a DuckDB message that speaks of the user's data, without its advice on DuckDB's own settings."""
    kept: list[str] = []
    for line in text.split("\n"):
        if line.startswith(("Possible", "LINE", "  file =", "\tCandidate functions", "The search space", "Column ")):
            break
        kept.append(line.strip())
    return "; ".join(filter(None, kept)).rstrip(".;")


def _file_named_in(text: str) -> str | None:
    lines = [line.split("=", 1)[1].strip() for line in text.split("\n") if line.startswith("  file =")]
    return Path(lines[0]).name if lines else None


def _names(files: Sequence[Path]) -> str:
    if not files:
        return "the database"
    return files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
