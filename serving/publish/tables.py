"""The tables that Foresail publishes, each declared once: Arrow schema, SQL table and docs/reference/published.md follow from it.

They are a contract with reports that others have built. Whoever changes a table raises its version; a column is added at
the end, one that may be null, and keeps its name, type, unit and meaning for as long as it is there.
"""

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import sqlalchemy as sa

from serving.database.tables import Moment

type_name = Literal["text", "number", "whole", "date", "moment", "reasons"]

REASON = pa.struct(
    [
        pa.field("feature", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("direction", pa.string()),
        pa.field("size", pa.float64()),
        pa.field("words", pa.string()),
    ]
)
ARROW_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "whole": pa.int32(),
    "date": pa.date32(),
    "moment": pa.timestamp("us", tz="UTC"),
    "reasons": pa.list_(REASON),
}
SQL_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "number": sa.Double(),
    "whole": sa.Integer(),
    "date": sa.Date(),
    "moment": Moment(),
    "reasons": sa.Text(),
}
"""Reasons are JSON text where a list has no column type: in SQL and in a .hyper file."""


@dataclass(frozen=True)
class Column:
    """A column: what it means, its unit, and what a null in it means. Without `null` it is always filled."""

    name: str
    type: type_name
    meaning: str
    null: str = ""
    unit: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """A table with its grain, its key (which is also its order), and the version of its schema.

    One that grows is published a night at a time, and what earlier nights published stays; others are replaced whole.
    """

    name: str
    version: int
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    grows: bool = False

    @property
    def schema(self) -> pa.Schema:
        """As Parquet has it: with the version in its metadata."""
        fields = [pa.field(one.name, ARROW_TYPES[one.type], nullable=bool(one.null)) for one in self.columns]
        return pa.schema(fields, {"foresail.table": self.name, "foresail.version": str(self.version)})

    def in_sql(self, metadata: sa.MetaData, name: str | None = None) -> sa.Table:
        """As a database has it, with the meanings as comments where it can keep them."""
        columns = (
            sa.Column(
                one.name,
                SQL_TYPES[one.type],
                nullable=bool(one.null),
                comment=one.meaning,
            )
            for one in self.columns
        )
        key = sa.PrimaryKeyConstraint(*self.key)
        return sa.Table(name or self.name, metadata, *columns, key, comment=f"Grain: {self.grain}.")


ACCOUNT_ID = Column("account_id", "text", "the account")
AS_OF = Column("as_of", "moment", "the moment that the row speaks for: it rests on what was known by then")
TARGET = Column("target", "text", "the target: a table [targets.NAME] of foresail.toml")
CURRENCY = "currency"
NOT_STANDING = "the account stands nowhere yet: too little is known of it, or it has opted out"

ACCOUNTS = PublishedTable(
    "accounts",
    1,
    "one row per account known at as_of, of the last night",
    ("account_id",),
    (
        ACCOUNT_ID,
        AS_OF,
        Column("name", "text", "what people call the account", "not recorded"),
        Column("owner", "text", "who of us looks after the account", "not recorded"),
        Column("region", "text", "where the account is", "not recorded"),
        Column("country", "text", "the country the account is in", "not recorded"),
        Column("industry", "text", "the account's industry", "not recorded"),
        Column("own_segment", "text", "the group the company itself puts the account in", "not recorded"),
        Column("size", "number", "how large the account is", "not recorded", "people"),
        Column("parent_id", "text", "the account of the group that this one belongs to", "none, or not recorded"),
        Column("founded_at", "moment", "when the account was founded", "not recorded"),
        Column("joined_at", "moment", "when it became an account of ours", "not recorded"),
        Column("strategic_fit", "number", "how well it fits our strategy, 1 hardly to 5 fully", "not judged", "1-5"),
        Column("influence", "number", "how much others in its industry look to it", "not judged", "1-5"),
        Column("willing_to_be_reference", "text", "yes or no: whether we may name it as a reference", "not asked"),
        Column("industry_growth", "number", "growth of its own industry in a year", "not known", "share"),
        Column("market_share", "number", "our share of what it spends on what we sell", "not known", "share"),
        Column("switching_cost", "number", "how dear it would be to change to a rival", "not judged", "1-5"),
        Column("opted_out", "text", "yes or no: whether it does not want to be contacted or profiled"),
        Column("value", "number", "predicted value over a year", NOT_STANDING, CURRENCY),
        Column("potential", "number", "how far it could grow, independent of today's revenue", NOT_STANDING, "0-1"),
        Column(
            "quadrant",
            "text",
            "strategic_core, stable_contributor, high_potential_growth or routine",
            NOT_STANDING,
        ),
        Column("tier", "text", "strategic, growth or potential", NOT_STANDING),
        Column("segment", "text", "high_value, potential, at_risk, low_frequency, new or silent", NOT_STANDING),
        Column("risk", "number", "the highest percentile of its risks", "no risk is scored", "0-1"),
        Column("band", "text", "the band of that risk: low, medium or high", "no risk is scored"),
        Column(
            "value_at_stake",
            "number",
            "the largest of its risks: probability × predicted value",
            "no risk or no value is scored",
            CURRENCY,
        ),
        Column(
            "severity",
            "text",
            "low, medium, high or critical, by value at stake",
            "no risk or no value is scored",
        ),
    ),
)

SCORES = PublishedTable(
    "scores",
    1,
    "one row per account and target, of the last night; of probability, amount and days the one that the target asks for is filled",
    ("account_id", "target"),
    (
        ACCOUNT_ID,
        TARGET,
        AS_OF,
        Column("horizon_days", "whole", "how far it looks ahead: (as_of, as_of + horizon]", unit="days"),
        Column("probability", "number", "calibrated", "not asked for by the target, or why_not says why", "0-1"),
        Column("amount", "number", "expected", "not asked for by the target, or why_not says why", CURRENCY),
        Column(
            "days",
            "number",
            "median days",
            "not asked for by the target, beyond the horizon, or why_not says why",
            "days",
        ),
        Column("days_low", "number", "one in ten comes sooner", "as days", "days"),
        Column("days_high", "number", "one in ten comes later", "as days", "days"),
        Column("percentile", "number", "mid-rank in the model's reference population", "why_not says why", "0-1"),
        Column("band", "text", "low, medium or high, by percentile", "why_not says why"),
        Column("model_version", "text", "the version of the registered model"),
        Column(
            "grade",
            "text",
            "how far the model can be relied on: A, B, C or none; the same in all its rows",
            "the model was never graded",
        ),
        Column(
            "reasons",
            "reasons",
            "the signed drivers of the score, the largest first: feature, value, direction (raises or lowers), size, words; "
            "an empty list where nothing stands out",
            "none were asked for",
        ),
        Column("why_not", "text", "why there is no score, in words", "there is one"),
        Column(
            "value_at_stake",
            "number",
            "of a risk: probability × predicted value",
            "the target is no risk, or no value is scored",
            CURRENCY,
        ),
        Column(
            "severity",
            "text",
            "of a risk: low, medium, high or critical, by value at stake",
            "the target is no risk, or no value is scored",
        ),
        Column("previous_as_of", "moment", "the moment of the score before", "this is its first"),
        Column(
            "previous",
            "number",
            "the answer of the score before",
            "this is its first, or that one had no answer",
            "of the answer",
        ),
        Column("model", "text", "the name of the registered model", "scored by hand, not by the night"),
        Column(
            "data_as_of",
            "moment",
            "up to when every source was read",
            "a source never was, or scored by hand, not by the night",
        ),
    ),
)

SCORE_HISTORY = PublishedTable(
    "score_history",
    1,
    "one row per account, target and night",
    ("as_of", "account_id", "target"),
    (
        ACCOUNT_ID,
        TARGET,
        AS_OF,
        Column(
            "answer",
            "number",
            "probability, amount or days, as the target asks",
            "not scored",
            "0-1, currency or days",
        ),
        Column("percentile", "number", "mid-rank in the model's reference population", "not scored", "0-1"),
        Column("band", "text", "low, medium or high, by percentile", "not scored"),
        Column("model_version", "text", "the version that said so"),
    ),
    grows=True,
)

TIER_MOVES = PublishedTable(
    "tier_moves",
    1,
    "one move of one account in one scheme",
    ("as_of", "account_id", "scheme"),
    (
        ACCOUNT_ID,
        Column("scheme", "text", "quadrant, tier or segment"),
        Column("as_of", "moment", "the night that moved it"),
        Column("before", "text", "where it stood", "its first segmentation"),
        Column("after", "text", "where it stands", "it stands nowhere any more"),
        Column("why", "text", "in words"),
    ),
    grows=True,
)

HEALTH = PublishedTable(
    "health",
    1,
    "one row per account that has a health score, of the last night",
    ("account_id",),
    (
        ACCOUNT_ID,
        AS_OF,
        Column("health", "number", "of the three parts, by the weights of the project", "no part is known", "0-100"),
        Column(
            "satisfaction",
            "number",
            "part of health: what it says of us, and how its cases went",
            "nothing is known of it",
            "0-100",
        ),
        Column("contribution", "number", "part of health: what it brings in", "nothing is known of it", "0-100"),
        Column("exposure", "number", "part of health: 100 is no risk", "nothing is known of it", "0-100"),
    ),
)

KPIS = PublishedTable(
    "kpis",
    1,
    "one figure per KPI, period and part of the company, as was known at as_of, of the last night",
    ("kpi", "period", "period_start", "dimension", "member"),
    (
        AS_OF,
        Column("kpi", "text", "the figure: one of the table below"),
        Column("period", "text", "month, quarter or year, of the calendar in the project's timezone"),
        Column("period_start", "date", "the first day of the period"),
        Column("period_end", "date", "the first day after the period"),
        Column("dimension", "text", "all, or what the accounts are divided by: region, industry, owner, tier"),
        Column(
            "member",
            "text",
            "which of them: north ...; all where the dimension is all; not recorded where the account has none",
        ),
        Column("value", "number", "the figure", "there was nothing to measure: nobody answered, nothing was resolved"),
        Column("unit", "text", "its unit: currency, accounts, share, points, hours ..."),
        Column("n", "whole", "what it rests on: answers, cases, accounts, as the table below says"),
    ),
)

TABLES = {table.name: table for table in (ACCOUNTS, SCORES, SCORE_HISTORY, TIER_MOVES, HEALTH, KPIS)}
