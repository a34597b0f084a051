"""A sheet of an Excel workbook as a table: the first row names the columns, cells keep their types.

Text stays text, so that '00123' keeps its zeros; a number without decimals is a whole number, so that an id typed as
17850 reads '17850'; dates are dates. A cell that is empty, or holds an error such as #N/A, is absent.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.history.ingest.cells import as_text, column_of

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

OPTIONS = {"sheet": "the name of the sheet", "skip": "how many rows stand above the names of the columns"}

ErrorMaker = Callable[[str], Exception]
"""Makes an error of a message; it puts the source's name before it."""


def write_as_parquet(workbook: Path, options: Mapping[str, Any], to: Path, error: ErrorMaker) -> None:
    """Write the sheet that `options` name (or the only one that holds anything) as Parquet."""
    for key in options:
        if key not in OPTIONS:
            known = ", ".join(f"{name} ({meaning})" for name, meaning in OPTIONS.items())
            raise error(f"an Excel source has no option '{key}'; it has {known}")
    sheet, rows = _sheet(workbook, options.get("sheet"), error)
    place = f"{workbook.name}, sheet '{sheet}',"
    names, cells = _table(rows[_skipped(options, error) :], place, error)
    columns = [column_of([_value(row[position]) for row in cells]) for position, _ in names]
    pq.write_table(pa.table(columns, names=[name for _, name in names]), to)


def _skipped(options: Mapping[str, Any], error: ErrorMaker) -> int:
    skip = options.get("skip", 0)
    if isinstance(skip, bool) or not isinstance(skip, int) or skip < 0:
        raise error(f"skip = {skip!r} must be a whole number of rows, 0 or more")
    return skip


def _sheet(path: Path, wanted: str | None, error: ErrorMaker) -> tuple[str, list[list[Any]]]:
    """The name of the sheet and its rows, from the first row and column of the sheet on."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        with CalamineWorkbook.from_path(path) as workbook:
            name = _name(path, workbook, wanted, error)
            return name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except PasswordError:
        raise error(f"{path.name} is protected by a password; save it without one") from None
    except (CalamineError, OSError) as problem:
        raise error(f"{path.name} cannot be read as an Excel workbook ({problem}); save it again as .xlsx") from problem


def _name(path: Path, workbook: "CalamineWorkbook", wanted: str | None, error: ErrorMaker) -> str:
    names = workbook.sheet_names
    listed = ", ".join(f"'{name}'" for name in names)
    if wanted is not None:
        if wanted not in names:
            raise error(f"{path.name} has no sheet '{wanted}'; it has {listed}. Correct options = {{ sheet = ... }}")
        return wanted
    # A sheet without a name in the options must not be left out silently.
    filled = [name for name in names if workbook.get_sheet_by_name(name).height]
    if len(filled) > 1:
        raise error(f'{path.name} has {len(filled)} sheets: {listed}. Name one: options = {{ sheet = "{filled[0]}" }}')
    return filled[0] if filled else names[0]


def _table(
    rows: Sequence[Sequence[Any]], place: str, error: ErrorMaker
) -> tuple[list[tuple[int, str]], list[Sequence[Any]]]:
    """The position and name of each column, and the rows below that hold anything."""
    if not rows or all(cell == "" for cell in rows[0]):
        raise error(
            f"{place} has no names of columns in its first row; remove the rows above them, or skip them: skip = 1"
        )
    header, cells = rows[0], [row for row in rows[1:] if any(cell != "" for cell in row)]
    names = [(position, as_text(_value(cell)).strip()) for position, cell in enumerate(header) if cell != ""]
    unnamed = [n for n, cell in enumerate(header) if cell == "" and any(row[n] != "" for row in cells)]
    if unnamed:
        raise error(f"{place} has values in column {unnamed[0] + 1}, which has no name; name it in the first row")
    lower = [name.lower() for _, name in names]
    doubled = sorted({name for name in lower if lower.count(name) > 1})
    if doubled:
        raise error(f"{place} has two columns named '{doubled[0]}'; rename one")
    return names, cells


def _value(cell: Any) -> Any:
    """A cell as Python has it. Excel keeps every number as a float."""
    if cell == "":
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
