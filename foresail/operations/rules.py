"""Playbooks, rules and SLAs of a project, and the accounts that their conditions hold for on the newest data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from features.progress import StepProgress
from foresail.operations.progress import by_bucket

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from foresail.config.project import Project
    from serving.interventions.declare.library import Section
    from serving.interventions.declare.settings import Playbook, Rule, Sla

Kind = Literal["playbook", "rule", "sla"]
EVENT_DAYS = 30
"""SLAs are tested on the events of so many days before the night."""


@dataclass(frozen=True)
class Entry:
    """One condition in use. `origin` says whether the project declares it or the library does."""

    kind: Kind
    name: str
    when: str
    does: str
    """What follows where it holds, in a few words."""
    origin: Literal["project", "library"]


@dataclass(frozen=True)
class Match:
    """The matches of a condition: accounts for a playbook or rule, events and their accounts for an SLA."""

    entry: Entry
    held: int
    """Accounts or events."""
    accounts: int
    first: tuple[tuple[str, str | None], ...]
    """account_id and name of the first, by value at stake."""


@dataclass(frozen=True)
class Tested:
    """All conditions, as of the last night."""

    as_of: datetime
    accounts: int
    events: int
    matches: tuple[Match, ...]


def entries(project: "Project") -> list[Entry]:
    """Every playbook, rule and SLA in use, those of the library among them."""
    told = project.interventions
    return [
        *(_entry("playbooks", "playbook", name, one, f"by {one.role}") for name, one in told.playbooks.items()),
        *(_entry("rules", "rule", name, one, _warns(one)) for name, one in told.rules.items()),
        *(_entry("sla", "sla", name, one, f"to {', '.join(one.notify)}") for name, one in told.sla.items()),
    ]


def try_rules(
    project: "Project", names: Sequence[str] = (), most: int = 5, *, progress: StepProgress | None = None
) -> Tested:
    """How many accounts, and which, each condition holds for as of the last night; all of them, or those named.

    ProjectError for a name that is not in use; HistoryError before the first night.
    """
    chosen = [entry for entry in entries(project) if not names or entry.name in names]
    _check_names(project, names, chosen)
    as_of, accounts = _accounts(project, progress)
    events = list(_events(project, accounts, as_of)) if any(entry.kind == "sla" for entry in chosen) else []
    of_accounts = _matches([entry for entry in chosen if entry.kind != "sla"], [accounts], accounts, most)
    of_events = _matches([entry for entry in chosen if entry.kind == "sla"], events, accounts, most)
    return Tested(as_of, accounts.num_rows, sum(rows.num_rows for rows in events), (*of_accounts, *of_events))


def _entry(section: "Section", kind: Kind, name: str, declared: "Playbook | Rule | Sla", does: str) -> Entry:
    from serving.interventions.declare.library import library

    of_library = getattr(library(), section).get(name)
    is_its_own = of_library is None or of_library.when != declared.when
    return Entry(kind, name, declared.when, does, "project" if is_its_own else "library")


def _warns(rule: "Rule") -> str:
    return f"{rule.severity} warning" + (f", starts {rule.start}" if rule.start else "")


def _check_names(project: "Project", names: Sequence[str], chosen: Sequence[Entry]) -> None:
    from foresail.config.project import FILE_NAME, ProjectError
    from serving.interventions.declare.expressions import nearest

    known = {entry.name for entry in entries(project)}
    for name in names:
        if name not in known:
            near = nearest(name, sorted(known), "`foresail rules list` shows them")
            raise ProjectError(f"{project.directory / FILE_NAME} has no playbook, rule or SLA '{name}'; {near}")
    if not chosen:
        raise ProjectError(
            f"{project.directory / FILE_NAME} has no playbook, rule or SLA; declare one, or choose some in [library]"
        )


def _accounts(project: "Project", progress: StepProgress | None) -> "tuple[datetime, pa.Table]":
    """The moment of the last night, and the accounts of it as conditions see them."""
    import pyarrow as pa

    from features.engine.table import build_feature_table
    from features.history.attributes import attributes_of_bucket
    from serving.interventions.declare import columns

    account_segments, scores, moves = _left_by_night(project)
    as_of: datetime = account_segments["as_of"][0].as_py()
    history = project.history.at(project.history.versions())
    table = build_feature_table(history, as_of, columns.needed_features(), progress=by_bucket(progress, "features"))
    attributes = pa.concat_tables(
        attributes_of_bucket(history, bucket, as_of, columns.NEEDED_ATTRIBUTES) for bucket in range(history.buckets)
    )
    told = project.segmentation.targets, project.timezone
    return as_of, columns.account_rows(table, scores, account_segments, attributes, moves, as_of, *told)


def _left_by_night(project: "Project") -> "tuple[pa.Table, pa.Table, pa.Table]":
    """Standings, scores and moves of the last night, each in the columns that the database has."""
    import sqlalchemy as sa

    from features.history.store import HistoryError
    from serving.database import tables
    from serving.database.engine import reading

    # Before the first night there may be no tables yet.
    engine = project.engine()
    try:
        with reading(engine) as connection:
            newest = sa.select(sa.func.max(tables.account_segments.c.as_of)).scalar_subquery()
            account_segments = _rows(
                connection, sa.select(tables.account_segments).where(tables.account_segments.c.as_of == newest)
            )
            scores = _rows(connection, sa.select(*map(tables.scores.c.__getitem__, _OF_SCORES)))
            moves = _rows(
                connection,
                sa.select(*map(tables.tier_moves.c.__getitem__, _OF_MOVES)).where(tables.tier_moves.c.as_of == newest),
            )
    finally:
        engine.dispose()
    if not account_segments.num_rows:
        raise HistoryError("no night has told yet where accounts stand; run `foresail nightly` first")
    return account_segments, scores, moves


_OF_SCORES = (
    "account_id",
    "target",
    "probability",
    "amount",
    "days",
    "percentile",
    "band",
    "value_at_stake",
    "severity",
)
_OF_MOVES = ("account_id", "scheme", "before")


def _rows(connection: "sa.Connection", query: "sa.Select[Any]") -> "pa.Table":
    import pyarrow as pa

    result = connection.execute(query)
    names, rows = list(result.keys()), result.all()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})


def _events(project: "Project", accounts: "pa.Table", as_of: datetime) -> "Iterator[pa.Table]":
    """What became known in the last EVENT_DAYS, with the accounts as they stand."""
    import pyarrow.compute as pc

    from features.history.streams import STREAMS
    from serving.interventions.declare.columns import event_columns, event_rows

    history = project.history.at(project.history.versions())
    for stream in STREAMS:
        needed = dict.fromkeys(["account_id", "known_at", *event_columns(stream).values()])
        for bucket in range(history.buckets):
            rows = history.read(stream, bucket, list(needed))
            since = pc.greater(rows["known_at"], as_of - timedelta(days=EVENT_DAYS))
            seen = rows.filter(pc.and_(since, pc.less_equal(rows["known_at"], as_of)))
            yield event_rows(accounts, stream, seen, project.segmentation.targets)


def _matches(chosen: Sequence[Entry], parts: "Sequence[pa.Table]", accounts: "pa.Table", most: int) -> Iterator[Match]:
    from serving.interventions.declare.expressions import holding

    # A rule and a playbook may have the same name.
    conditions = {f"{entry.kind} {entry.name}": entry.when for entry in chosen}
    held: dict[str, list[str]] = {name: [] for name in conditions}
    for rows in parts:
        ids = rows["account_id"]
        for name, holds in holding(rows, conditions).items():
            held[name] += ids.filter(_mask(holds)).to_pylist()
    ranked = _by_stake(accounts)
    for entry in chosen:
        found = held[f"{entry.kind} {entry.name}"]
        its = set(found)
        first = tuple((account_id, name) for account_id, name in ranked.items() if account_id in its)[:most]
        yield Match(entry, len(found), len(its), first)


def _mask(holds: Any) -> Any:
    import pyarrow as pa

    return pa.array(holds)


def _by_stake(accounts: "pa.Table") -> Mapping[str, str | None]:
    """The accounts and their names, those with the most at stake first."""
    keys = [("value_at_stake", "descending"), ("account_id", "ascending")]
    ranked = accounts.select(["account_id", "name", "value_at_stake"]).sort_by(keys)
    return dict(zip(ranked["account_id"].to_pylist(), ranked["name"].to_pylist(), strict=True))
