"""Retention: which versions of a history stay readable, and which files are removed so that the disk does not fill.

Every ingest that touches a bucket leaves the file that it replaces, so that the versions before stay readable. Worth
keeping are the versions that registered models were trained on, and those of the last days. The other files are removed,
and with them the files that killed writers left.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.fs as pa_fs
from deltalake import DeltaTable

from features.history.store import KEEP_LOG, LOG_RETENTION, History
from features.history.streams import STREAMS
from features.progress import StepProgress
from features.timestamps import microseconds

OWN_TABLES = ("quarantine", "mappings", "arrivals", "bookmarks", "merges", "forgotten")
"""Tables beside the streams that every history may have; further tables in its folder are found there."""
AT_ONCE = "interval 0 seconds"
UNFINISHED = ("**/*#[0-9]*", "_delta_log/_commit_*", "_delta_log/*.tmp")
"""Files of a killed writer that Delta does not list: they were not yet given their names."""


@dataclass(frozen=True)
class Vacuumed:
    """The files and versions that one table gave up.

    `kept` are the versions that still can be read, the newest among them; `given_up` those that could be until now
    and cannot any more. Versions given up earlier are in neither.
    """

    table: str
    files: int
    bytes: int
    kept: tuple[int, ...]
    given_up: tuple[int, ...]


def vacuum(
    history: History,
    keep: Collection[Mapping[str, int]],
    now: datetime,
    days: int,
    progress: StepProgress | None = None,
) -> list[Vacuumed]:
    """Remove every file that no version worth keeping needs; one entry for each table, in the order of the streams.

    Worth keeping: for each of `keep` (the `History.versions()` that a model was trained on) its versions, all that
    were current at any time within the last `days` before `now`, and the newest. At an object store, where no lock keeps
    writers away, files are removed only `days` (at least one) after the last version that needed them.
    """
    oldest = microseconds(now - timedelta(days=days)) // 1000
    with history.lock():
        names = tables(history)
        done: list[Vacuumed] = []
        for number, name in enumerate(names):
            if progress:
                progress(number, len(names), "vacuuming")
            wanted = {versions[name] for versions in keep if name in versions}
            done.append(_vacuum(history, name, wanted, oldest, days))
        if progress:
            progress(len(names), len(names), "vacuuming")
        return done


def tables(history: History) -> list[str]:
    """Every Delta table of a history that exists: streams first."""
    names = [*STREAMS, *OWN_TABLES]
    if history.is_local:
        logs = sorted(Path(history.root).glob("*/_delta_log"))
        names = list(dict.fromkeys([*names, *(log.parent.name for log in logs)]))
    return [name for name in names if history.table(name) is not None]


def give_up_past(history: History, name: str) -> Vacuumed:
    """Leave nothing of a table but its newest version: no older files, and no entries of the log about them.

    Called with the history locked.
    """
    table = _existing_table(history, name)
    before, sizes = _readable(history, name), _sizes(history, name)
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    removed = {path: size for path, size in sizes.items() if path not in _sizes(history, name)}
    removed |= dict(_remove_unfinished(history, name))
    table = _existing_table(history, name)
    table.alter.set_table_properties({LOG_RETENTION: AT_ONCE}, raise_if_not_exists=False)
    table = _existing_table(history, name)
    table.create_checkpoint()
    table.cleanup_metadata()
    table.alter.set_table_properties({LOG_RETENTION: KEEP_LOG}, raise_if_not_exists=False)
    newest = _existing_table(history, name).version()
    return Vacuumed(name, len(removed), sum(removed.values()), (newest,), tuple(sorted(before)[:-1]))


def _vacuum(history: History, name: str, wanted: Collection[int], oldest: int, days: int) -> Vacuumed:
    table = _keeping_its_log(history, name)
    readable, sizes = _readable(history, name), _sizes(history, name)
    newest, recent = table.version(), _current_since(readable, oldest)
    keep = sorted((readable.keys() & wanted) | recent | {newest})
    hours = 0 if history.is_local else max(days, 1) * 24
    how: dict[str, Any] = {"enforce_retention_duration": False, "full": True, "keep_versions": keep}
    # Each vacuum is a version of its own; where there is nothing to remove it would only add one.
    if table.vacuum(hours, dry_run=True, **how):
        table.vacuum(hours, dry_run=False, **how)
    left = _sizes(history, name)
    removed = {path: size for path, size in sizes.items() if path not in left}
    removed |= dict(_remove_unfinished(history, name))
    after = _readable(history, name)
    given_up = sorted(version for version in readable if version not in after)
    kept = sorted(version for version in readable if version in after)
    return Vacuumed(name, len(removed), sum(removed.values()), tuple(kept), tuple(given_up))


def _keeping_its_log(history: History, name: str) -> DeltaTable:
    """The table, set to keep its log: an earlier release, or an erasure that was killed, may have left it without that setting."""
    table = _existing_table(history, name)
    if table.metadata().configuration.get(LOG_RETENTION) != KEEP_LOG:
        table.alter.set_table_properties({LOG_RETENTION: KEEP_LOG}, raise_if_not_exists=False)
    return _existing_table(history, name)


def _current_since(versions: Mapping[int, int], oldest: int) -> set[int]:
    """The versions written since then, and the one that was the newest at that moment."""
    before = [version for version, written in versions.items() if written < oldest]
    return {version for version, written in versions.items() if written >= oldest} | set(before[-1:])


def _readable(history: History, name: str) -> dict[int, int]:
    """The versions of a table whose files are all there, and when each was written (ms), ascending."""
    there = _sizes(history, name)
    return {version: written for version, written, files in _versions(history, name) if files <= there.keys()}


def _versions(history: History, name: str) -> Iterator[tuple[int, int, set[str]]]:
    """Every version in the log: its number, when it was written (ms), and its files.

    Read from the log's own entries, one after another: opening a thousand versions takes a thousand times as long.
    """
    filesystem, files = history.filesystem(name), None
    for path in _paths(filesystem, "_delta_log", r"^\d{20}\.json$"):
        version = int(Path(path).stem)
        entries = [json.loads(line) for line in filesystem.open_input_stream(path).read().splitlines()]
        if files is None:
            files = _files_at(history, name, version)
        else:
            files = (files | _named(entries, "add")) - (_named(entries, "remove") - _named(entries, "add"))
        yield version, _written(entries), files


def _named(entries: Sequence[Mapping[str, Any]], action: str) -> set[str]:
    return {entry[action]["path"] for entry in entries if action in entry}


def _written(entries: Sequence[Mapping[str, Any]]) -> int:
    return next((int(entry["commitInfo"]["timestamp"]) for entry in entries if "commitInfo" in entry), 0)


def _files_at(history: History, name: str, version: int) -> set[str]:
    snapshot = history.table(name, version)
    return set() if snapshot is None else set(snapshot.get_add_actions(flatten=True).column("path").to_pylist())


def _sizes(history: History, name: str) -> dict[str, int]:
    """Every data file of a table, needed or not: its path inside the table, and its size in bytes."""
    filesystem = history.filesystem(name)
    paths = _paths(filesystem, "", r"^(?!_delta_log/).*\.parquet$")
    return {info.path: info.size for info in filesystem.get_file_info(paths)}


def _paths(filesystem: pa_fs.FileSystem, folder: str, pattern: str) -> list[str]:
    """Files below a folder whose path from there matches, in the order of their names."""
    entries = filesystem.get_file_info(pa_fs.FileSelector(folder, recursive=True))
    files = {info.path: info.path.removeprefix(f"{folder}/") for info in entries if info.type == pa_fs.FileType.File}
    return sorted(path for path, name in files.items() if re.match(pattern, name))


def _remove_unfinished(history: History, name: str) -> Iterator[tuple[str, int]]:
    if not history.is_local:
        return
    folder = Path(history.uri(name))
    for path in {path for pattern in UNFINISHED for path in folder.glob(pattern)}:
        size = path.stat().st_size
        path.unlink()
        yield str(path.relative_to(folder)), size


def _existing_table(history: History, name: str) -> DeltaTable:
    table = history.table(name)
    if table is None:
        raise AssertionError(name)
    return table
