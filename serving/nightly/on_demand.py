"""Decisions between nights: from the scores that the last one left, at any later moment, begun or only shown."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from features.engine.table import build_bucket_table
from features.progress import StepProgress
from serving.database.engine import reading, writing
from serving.database.tables import account_segments, scores, tier_moves
from serving.interventions.decide.candidates import Accounts
from serving.interventions.decide.decisions import Decision, decide_interventions, raising_reasons
from serving.interventions.decide.earlier_decisions import INSTANT, EarlierDecisions, read_earlier_decisions
from serving.interventions.run.write_decisions import portions, replace_warnings_and_not_chosen, write_portion
from serving.nightly.night.columns import as_text
from serving.nightly.night.journal import Journal, NightRefused
from serving.nightly.night.lock import only_night
from serving.nightly.night.night import Night, Plan
from serving.nightly.steps.decide import accounts_of

ACTOR = "foresail decide"
OF_SCORES = (
    "account_id", "target", "probability", "amount", "days", "percentile", "band", "value_at_stake", "severity",
)  # fmt: skip
OF_MOVES = ("account_id", "scheme", "before")
AT_ONCE = 1_000


@dataclass(frozen=True)
class Planned:
    """What was decided at a moment, by the scores of a night. `begun` counts interventions that are new; None where it is only shown."""

    night: datetime
    at: datetime
    found: Decision
    begun: int | None


def decide_now(
    plan_of: Callable[[datetime], Plan],
    engine: sa.Engine,
    clock: Callable[[], datetime],
    *,
    at: datetime | None = None,
    dry_run: bool = False,
    progress: StepProgress,
) -> Planned:
    """Decide by the scores of the last night, at its own moment unless `at` says when; begin it all unless it is a `dry_run`.

    What was decided before stays decided, and counts, at that moment and after it, too: decided again, there is nothing more
    to do. `plan_of` gives the plan of the night of a moment. NightRefused before the first night, after one that is not
    complete or did not score what a playbook is for, and for a moment before it or in the future; NightRunning while one runs.
    """
    journal = Journal.last(engine, clock)
    plan, moment = plan_of(journal.as_of), at or journal.as_of
    _check(moment, journal.as_of, clock())
    with only_night(plan.folder, engine):
        night, now = Night(plan, journal, progress), clock()
        _check_scored(night)
        found = _decided(night, moment, now)
        begun = None if dry_run else _begin(night, found, now)
    return Planned(journal.as_of, moment, found, begun)


def _check(moment: datetime, night: datetime, now: datetime) -> None:
    if moment < night:
        raise NightRefused(
            f"{moment:%Y-%m-%d %H:%M} UTC lies before the last night, {night:%Y-%m-%d %H:%M}: decide by its scores, or later"
        )
    if moment > now:
        raise NightRefused(f"{moment:%Y-%m-%d %H:%M} UTC lies in the future: nobody can be asked to act there")


def _check_scored(night: Night) -> None:
    """Nothing is known of a target that was declared, or taken away, since the night."""
    scored = night.pinned.models
    for name, playbook in night.plan.interventions.playbooks.items():
        if playbook.outcome not in scored or playbook.outcome not in night.plan.models:
            raise NightRefused(
                f"playbooks.{name} is for '{playbook.outcome}', which the last night did not score: run `foresail nightly` first"
            )


def _decided(night: Night, moment: datetime, now: datetime) -> Decision:
    before = EarlierDecisions.of(read_earlier_decisions(night.engine, night.plan.interventions, moment, now + INSTANT))
    return decide_interventions(
        _accounts(night), lambda chosen: _because(night.engine, chosen), night.company, before, moment
    )


def _begin(night: Night, found: Decision, now: datetime) -> int:
    told, new = night.plan.interventions, 0
    for portion in portions(found.interventions, found.assignments):
        with writing(night.engine) as connection:
            new += write_portion(connection, portion, ACTOR, now, told)
    with writing(night.engine) as connection:
        replace_warnings_and_not_chosen(connection, found.warnings, found.not_chosen)
    return new


def _accounts(night: Night) -> Iterator[Accounts]:
    left = [_by_bucket(night, table) for table in _left_by_night(night)]
    for bucket, (scored, stood, moved) in enumerate(zip(*left, strict=True)):
        table = build_bucket_table(night.history, bucket, night.as_of, night.decision_features)
        own = table.droplevel("as_of").reindex(pd.Index(stood["account_id"].to_pylist(), name="account_id"))
        night.progress(bucket + 1, len(night.buckets), "features")
        yield accounts_of(night, bucket, own, scored, stood, moved)


def _left_by_night(night: Night) -> Iterator[pa.Table]:
    """Scores, segments and moves as the database has them."""
    asked = (
        sa.select(*(scores.c[name] for name in OF_SCORES)),
        sa.select(account_segments),
        sa.select(*(tier_moves.c[name] for name in OF_MOVES)).where(tier_moves.c.as_of == night.as_of),
    )
    with reading(night.engine) as connection:
        yield from [_table(connection, query) for query in asked]


def _table(connection: sa.Connection, query: sa.Select[Any]) -> pa.Table:
    result = connection.execute(query)
    names, rows = list(result.keys()), result.all()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, _KINDS.get(name)) for name, column in zip(names, columns, strict=True)})


_KINDS = {
    column.name: pa.float64() if isinstance(column.type, sa.Float) else pa.string()
    for table in (scores, account_segments, tier_moves)
    for column in table.columns
    if isinstance(column.type, sa.Float | sa.Text)
}
"""Columns of which every value may be absent still have a type."""


def _by_bucket(night: Night, rows: pa.Table) -> Iterator[pa.Table]:
    buckets = night.history.buckets_of(as_text(rows["account_id"]))
    for bucket in night.buckets:
        yield rows.filter(pa.array(buckets == bucket))


def _because(engine: sa.Engine, chosen: pd.DataFrame) -> dict[tuple[str, str], Sequence[str]]:
    ids = chosen["account_id"].unique().tolist()
    found: dict[tuple[str, str], Sequence[str]] = {}
    with reading(engine) as connection:
        for start in range(0, len(ids), AT_ONCE):
            own = scores.c.account_id.in_(ids[start : start + AT_ONCE]), scores.c.reasons.is_not(None)
            for row in connection.execute(
                sa.select(scores.c.account_id, scores.c.target, scores.c.reasons).where(*own)
            ):
                found[row.account_id, row.target] = raising_reasons(json.loads(row.reasons))
    return found
