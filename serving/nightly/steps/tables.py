"""The step `publish`: the documented tables of a night, table by table and a bucket at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from features.history.attributes import attributes_of_bucket
from features.kpis import kpis
from serving.nightly.night.columns import whole
from serving.nightly.night.night import Night
from serving.nightly.steps.load import history_of, scores_of
from serving.publish import publish
from serving.publish.tables import ACCOUNTS, HEALTH, KPIS, SCORE_HISTORY, SCORES, TIER_MOVES

STANDINGS = ("value", "potential", "quadrant", "tier", "segment", "risk", "band", "value_at_stake", "severity")
OWN = {"own_segment": "segment"}
"""Published columns that the stream accounts calls otherwise: `segment` is where we put an account."""
DIVIDED_BY = ("region", "industry", "owner")
"""What KPIs are told apart by, besides tiers."""


def publish_tables(night: Night) -> None:
    """The documented tables, for reports and other tools."""
    if not night.journal.has("publish"):
        with night.folder.scratch("publish") as spill:
            publish(tables_of(night), night.plan.publish, night.as_of, night.progress, spill)
        night.journal.note("publish")


def tables_of(night: Night) -> dict[str, Iterable[pa.Table]]:
    """By name the rows of every published table of the night."""
    of_bucket: Mapping[str, Callable[[Night, int], pa.Table]] = {
        ACCOUNTS.name: _accounts,
        SCORES.name: scores_of,
        SCORE_HISTORY.name: lambda night, bucket: history_of(scores_of(night, bucket)),
        TIER_MOVES.name: lambda night, bucket: night.folder.read("moves", bucket),
        HEALTH.name: _health,
    }
    return {**{name: _each(night, rows) for name, rows in of_bucket.items()}, KPIS.name: _kpis(night)}


def _each(night: Night, rows: Callable[[Night, int], pa.Table]) -> Iterator[pa.Table]:
    return (rows(night, bucket) for bucket in night.buckets)


def _accounts(night: Night, bucket: int) -> pa.Table:
    """Where accounts stand beside all their attributes, of those too of which none is recorded."""
    stood = night.folder.read("account_segments", bucket)
    published = [name for name in ACCOUNTS.schema.names if name not in ("account_id", "as_of", *STANDINGS)]
    columns = [OWN.get(name, name) for name in published]
    known = attributes_of_bucket(night.history, bucket, night.as_of, columns)
    places = pc.index_in(stood["account_id"], value_set=whole(known["account_id"]))
    attributes = {name: known[column].take(places) for name, column in zip(published, columns, strict=True)}
    attributes["opted_out"] = attributes["opted_out"].fill_null("no")
    return pa.table({**_columns(stood, "account_id", "as_of", *STANDINGS), **attributes})


def _health(night: Night, bucket: int) -> pa.Table:
    stood = night.folder.read("account_segments", bucket)
    return stood.filter(pc.is_valid(stood["health"])).select(HEALTH.schema.names)


def _kpis(night: Night) -> Iterator[pa.Table]:
    """The figures of the company and of its parts; tiers are those of this night."""
    stood = [night.folder.read("account_segments", bucket, ["account_id", "tier"]) for bucket in night.buckets]
    tiers = pa.concat_tables(stood).drop_null()
    given = {"tier": dict(zip(tiers["account_id"].to_pylist(), tiers["tier"].to_pylist(), strict=True))}
    plan = night.plan
    found = kpis(
        night.history, night.as_of, timezone=plan.timezone, churn_days=plan.churn_days, by=DIVIDED_BY, labels=given
    )
    yield pa.Table.from_pandas(found, preserve_index=False)


def _columns(rows: pa.Table, *names: str) -> dict[str, pa.ChunkedArray]:
    return {name: rows[name] for name in names}
