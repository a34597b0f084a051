"""From settings to a company on disk: its exports and project file in one folder, its truth in another.

Blocks of accounts are simulated side by side and written in their order, so that memory is bounded by a few blocks, and no file
depends on how many work at once. Only the best allocation looks at all accounts together: some 50 bytes for each playbook that
could be begun with one.
"""

import json
import shutil
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from os import cpu_count
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import Array
from features.progress import StepProgress
from foresail.simulation.exports import exports
from foresail.simulation.exports.reporting import Reported, reported
from foresail.simulation.exports.writing import Files
from foresail.simulation.truth import truth
from foresail.simulation.world import accounts, world
from foresail.simulation.world.accounts import AT_MOST_OLD
from foresail.simulation.world.histories import Histories, simulate_histories
from foresail.simulation.world.projections import Course
from foresail.simulation.world.settings import VERSION, Settings, SettingsError

BLOCK = 1_000
"""Accounts that are simulated at once."""
ROWS_PER_BUCKET = 3_000_000
FILE_NAME = "foresail.toml"
SOURCE = "[[sources]]\n"


@dataclass
class Written:
    """What has been written, and what reporting did to it, by export."""

    folder: Path
    truth: Path
    accounts: int
    rows: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    without_account: Counter[str] = field(default_factory=Counter)

    def count(self, export: Reported) -> None:
        """Add an export of one block."""
        self.rows[export.name] += len(export.rows)
        self.late[export.name] += export.late
        self.duplicates[export.name] += export.duplicates
        self.without_account[export.name] += export.without_account


@dataclass(frozen=True)
class _Simulated:
    """One block, ready to be written."""

    exports: list[Reported]
    truth: truth.TruthTables
    lifetimes: pa.Table


def write_company(
    settings: Settings,
    folder: Path,
    truth_folder: Path,
    progress: StepProgress | None = None,
    workers: int | None = None,
) -> Written:
    """Simulate a company and write it; FileExistsError where one of the folders holds something already.

    SettingsError if the truth would lie where the pipeline reads.
    """
    _refuse_used(folder, truth_folder)
    written = Written(folder, truth_folder, settings.company.accounts)
    try:
        with Files(folder / "data") as files, _Tables(truth_folder) as tables:
            for simulated in _blocks(settings, progress, workers or cpu_count() or 1):
                _write(simulated, files, tables, written)
        effects = pq.read_table(truth_folder / "effects.parquet", columns=["account_id", "as_of", "playbook", "net"])
        pq.write_table(
            truth.best_allocation(settings, effects), truth_folder / "allocation.parquet", compression="zstd"
        )
        _describe(settings, written)
    except BaseException:
        # Half a company would be taken for a whole one.
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(truth_folder, ignore_errors=True)
        raise
    return written


def _refuse_used(folder: Path, truth_folder: Path) -> None:
    inner, outer = truth_folder.resolve(), folder.resolve()
    if inner == outer or outer in inner.parents:
        raise SettingsError(
            f"the truth in {truth_folder} would lie within the company's folder {folder}: name another one with --truth"
        )
    for each in (folder, truth_folder):
        if each.exists() and not each.is_dir():
            raise FileExistsError(f"{each} is a file; name a new folder")
        if each.exists() and any(each.iterdir()):
            raise FileExistsError(f"{each} is not empty; name a new folder, or remove it first")
        try:
            each.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{each} cannot be made ({error.strerror}); name another folder") from error


def simulate(settings: Settings, first: int = 0, last: int | None = None) -> Histories:
    """The histories of accounts number first … last − 1, without writing anything."""
    drawn = accounts.draw(settings, first, settings.company.accounts if last is None else last)
    return simulate_histories(settings, drawn, world.past(settings), truth.days_of(settings))


def _blocks(settings: Settings, progress: StepProgress | None, workers: int) -> Iterator[_Simulated]:
    """Every block in its order; no more of them wait than there are workers."""
    total, days, courses = settings.company.accounts, world.past(settings), truth.courses_of(settings)
    firsts = range(0, total, BLOCK)
    waiting: deque[Future[_Simulated]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for number, first in enumerate(firsts):
            waiting.append(pool.submit(_simulated, settings, days, courses, first, min(first + BLOCK, total)))
            if len(waiting) > workers or number == len(firsts) - 1:
                yield waiting.popleft().result()
            if progress:
                progress(max(0, number - len(waiting) + 1), len(firsts), "blocks of accounts")
        while waiting:
            yield waiting.popleft().result()
            if progress:
                progress(len(firsts) - len(waiting), len(firsts), "blocks of accounts")


def _simulated(settings: Settings, days: Array, courses: list[Course], first: int, last: int) -> _Simulated:
    histories = simulate_histories(settings, accounts.draw(settings, first, last), days, truth.days_of(settings))
    made = [reported(settings, export) for export in exports.exports(settings, histories)]
    return _Simulated(made, truth.tables(settings, histories, courses), truth.lifetimes(settings, histories))


class _Tables:
    """The truth's tables, one file each, written block by block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.close()

    def add(self, name: str, rows: pa.Table) -> None:
        if name not in self._open:
            self._open[name] = pq.ParquetWriter(self.folder / f"{name}.parquet", rows.schema, compression="zstd")
        self._open[name].write_table(rows)


def _write(simulated: _Simulated, files: Files, tables: _Tables, written: Written) -> None:
    for export in simulated.exports:
        files.add(export)
        written.count(export)
    for name in ("targets", "states", "effects"):
        tables.add(name, getattr(simulated.truth, name))
    tables.add("lifetimes", simulated.lifetimes)


def _describe(settings: Settings, written: Written) -> None:
    """The project file, and beside the truth the settings that made it."""
    buckets = max(2, min(256, written.rows.total() // ROWS_PER_BUCKET + 1))
    template = resources.files("foresail.simulation").joinpath("company.toml.template").read_text(encoding="utf-8")
    text = template.format(
        buckets=buckets,
        horizon_days=settings.truth.horizon_days,
        active_days=settings.truth.active_days,
        notice_days=settings.contracts.notice_days,
        earliest=settings.company.start - timedelta(days=AT_MOST_OLD + 1),
    )
    (written.folder / FILE_NAME).write_text(_with_what_is_there(text, written), encoding="utf-8")
    kept: dict[str, Any] = {"version": VERSION, "settings": settings.model_dump(mode="json")}
    counts = {name: dict(value) for name, value in vars(written).items() if isinstance(value, Counter)}
    (written.truth / "company.json").write_text(json.dumps(kept | counts, indent=1), encoding="utf-8")


def _with_what_is_there(text: str, written: Written) -> str:
    """The project file without the sources of which there is not a row: a company without machines has no telemetry."""
    head, *sections = text.split(SOURCE)
    *sources, last = sections
    last, between, rest = last.partition("\n[targets")
    there = [one for one in (*sources, last) if written.rows[one.split('"')[1]]]
    return "".join([head, *(SOURCE + one for one in there), between, rest])
