"""The exports as files, each in its system's way: CSV by month, Parquet by quarter, tables of a database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from foresail.simulation.exports.reporting import Reported

IN_DATABASE = ("accounts", "contacts", "contracts", "relations")
AS_CSV = {
    "orders": "erp",
    "backorders": "erp",
    "meetings": "calendar",
    "surveys": "surveys",
    "assignments": "programme",
}
AS_PARQUET = {
    "cases": "helpdesk", "logins": "product", "usage": "product", "telemetry": "machines", "visits": "webshop",
    "outreach": "marketing",
}  # fmt: skip
"""Which system an export comes from, by what it is written as."""
DATABASE = "crm/crm.db"


class Files:
    """Open files of all exports below a folder; blocks are added to them in their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[Path, Any] = {}
        path = folder / DATABASE
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path)
        # Nobody reads it before it is finished, and a run that is cut short is begun again.
        self._database.execute("pragma journal_mode = off")
        self._database.execute("pragma synchronous = off")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._open.values():
            writer.close()
        with closing(self._database):
            self._database.commit()

    def add(self, export: Reported) -> None:
        """Append the rows of one block."""
        if export.name in IN_DATABASE:
            self._insert(export)
        elif export.name in AS_CSV:
            for period, rows in _by_period(export, "M"):
                self._csv(self.folder / AS_CSV[export.name] / f"{export.name}-{period}.csv", _for_csv(rows))
        else:
            for period, rows in _by_period(export, "Q"):
                self._parquet(self.folder / AS_PARQUET[export.name] / f"{export.name}-{period}.parquet", rows)

    def _csv(self, path: Path, rows: pa.Table) -> None:
        # Opened anew for each block: ten years have more months than a process may have files open.
        path.parent.mkdir(parents=True, exist_ok=True)
        options = pa_csv.WriteOptions(include_header=not path.exists(), quoting_style="needed")
        with path.open("ab") as file:
            pa_csv.write_csv(rows, file, options)

    def _parquet(self, path: Path, rows: pa.Table) -> None:
        if path not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without Arrow's own schema every reader finds plain text where words are encoded.
            self._open[path] = pq.ParquetWriter(path, rows.schema, compression="zstd", store_schema=False)
        self._open[path].write_table(rows.cast(self._open[path].schema))

    def _insert(self, export: Reported) -> None:
        rows, names = _for_csv(export.rows), export.rows.column_names
        kinds = ["real" if pa.types.is_floating(field.type) else "text" for field in rows.schema]
        declared = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
        self._database.execute(f"create table if not exists {export.name} ({declared})")
        marks = ", ".join("?" * len(names))
        values = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        self._database.executemany(f"insert into {export.name} values ({marks})", values)  # noqa: S608  # our own names


def _by_period(export: Reported, unit: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows by the month (M) or quarter (Q) in which they were entered, in their order."""
    months = export.entered.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    periods = months if unit == "M" else months // 3
    for period in np.unique(periods):
        year, part = divmod(int(period), 12 if unit == "M" else 4)
        name = f"{1970 + year}-{part + 1:02}" if unit == "M" else f"{1970 + year}-Q{part + 1}"
        yield name, export.rows.filter(pa.array(periods == period))


def _for_csv(rows: pa.Table) -> pa.Table:
    """Words as text, moments as 2024-07-13 14:20:06."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.string()))
        elif pa.types.is_timestamp(field.type):
            whole = pc.floor_temporal(rows[field.name], unit="second").cast(pa.timestamp("s"))
            rows = rows.set_column(place, field.name, whole.cast(pa.string()))
    return rows
