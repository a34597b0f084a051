"""The columns of conditions in playbooks, rules and SLAs, each with type, unit and meaning; and their rows.

docs/reference/rules.md is generated from them. Null means unknown; a condition that is null does not hold.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalog import named
from features.definitions import Feature
from features.engine.plan import FeatureSet
from features.families import signals
from features.families.segmentation import DAYS_KNOWN, DAYS_SERVED
from features.history.streams import STREAMS
from registry.target_kinds import RISKS, WITH_PROBABILITY
from serving.scoring.columns import NOWHERE
from serving.scoring.value_terms import SEVERITIES
from serving.segmentation.inputs import Rows
from serving.segmentation.settings import BANDS, QUADRANTS, SCHEMES, SEGMENTS, TIERS, TargetOf

Type = Literal["text", "number", "boolean"]
ARROW: dict[Type, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}
CURRENCY = "currency"


@dataclass(frozen=True)
class Column:
    """A column: its meaning, its unit, and the possible words of a text column."""

    name: str
    type: Type
    unit: str
    meaning: str
    words: tuple[str, ...] = ()


ACCOUNT = (
    Column("account_id", "text", "", "the account"),
    Column("name", "text", "", "what people call it"),
    Column("owner", "text", "", "who of us looks after it"),
    Column("region", "text", "", "where it is"),
    Column("industry", "text", "", "its industry"),
    Column("value", "number", CURRENCY, "predicted value over a year"),
    Column("potential", "number", "0-1", "how far it could grow, independent of today's revenue"),
    Column("quadrant", "text", "", "where it stands in value × potential", QUADRANTS),
    Column("tier", "text", "", "its tier, of value × strategic fit and the rules of [tiers]", TIERS),
    Column("segment", "text", "", "its lifecycle segment", SEGMENTS),
    Column("health", "number", "0-100", "health score; a reinforcement plan is due below [health] reinforce"),
    Column("satisfaction", "number", "0-100", "part of health: what it says of us, and how its cases went"),
    Column("contribution", "number", "0-100", "part of health: what it brings in"),
    Column("exposure", "number", "0-100", "part of health: 100 is no risk"),
    Column("risk", "number", "0-1", "the highest percentile of its risks"),
    Column("band", "text", "", "the band of that risk", BANDS),
    Column("value_at_stake", "number", CURRENCY, "the largest of its risks: probability × value"),
    Column("severity", "text", "", "by value at stake, among the accounts of the night", SEVERITIES),
)
"""Columns of the account's segments."""

BEFORE = tuple(
    Column(f"{scheme}_before", "text", "", f"where it stood the night before; equal to {scheme} unless it moved", words)
    for scheme, words in SCHEMES.items()
)

SIGNAL = "signal_"
OF_CATALOG = (
    "purchases_days_since_last", "purchases_days_since_first", "purchases_overdue_ratio",
    "purchases_days_until_expected", "purchases_orders_distinct", "purchases_orders_distinct_90d",
    "purchases_orders_distinct_365d", "purchases_amount_sum_90d", "purchases_net_amount_sum_365d",
    "purchases_amount_trend_90d", "purchases_amount_trend_365d", "purchases_categories_distinct_365d",
    "purchases_categories_dropped_90d",
    "service_open_cases_count", "service_open_urgent_cases_count", "service_open_complaints_count",
    "service_days_open_max", "service_satisfaction_last",
    "engagement_days_since_last", "engagement_days_since_login", "engagement_visit_count_90d",
    "engagement_carts_abandoned_count_30d", "engagement_points_sum", "engagement_ideas_count_365d",
    "engagement_references_count", "engagement_stockouts_count_90d",
    "meetings_days_since_executive", "meetings_days_since_middle", "meetings_days_since_review",
    "meetings_days_since_strategy",
    "surveys_nps_last", "surveys_sentiment_mean_90d",
    "telemetry_faults_sum_90d", "telemetry_energy_ratio_90d",
    "contracts_in_force_count", "contracts_value_sum", "contracts_days_left_min", "contracts_days_to_notice",
    "contacts_champions_count",
)  # fmt: skip
"""Features that conditions may use, by the names that docs/reference/features.md has."""
RENAMED = {
    "size": "account_size_last",
    "strategic_fit": "account_strategic_fit_last",
    "influence": "account_influence_last",
    "willing_to_be_reference": "account_willing_to_be_reference_last",
    "industry_growth": "account_industry_growth_last",
    "market_share": "account_market_share_last",
    "switching_cost": "account_switching_cost_last",
    "days_since_joined": "account_days_since_joined",
    "days_served": DAYS_SERVED.name,
    "days_known": DAYS_KNOWN.name,
}
"""Attributes and ages in short: column → feature."""
SHORT = {feature.name.removeprefix(SIGNAL): feature.name for feature in signals.FEATURES} | RENAMED
_FEATURE_OF = {name: name for name in OF_CATALOG} | SHORT
NEEDED_ATTRIBUTES = ("country", "segment", "founded_at", "joined_at")
"""Columns of the stream accounts that `account_rows` reads."""
ATTRIBUTES = (
    Column("country", "text", "", "the country it is in"),
    Column("own_segment", "text", "", "the group that the company itself puts it in"),
    Column(
        "days_to_anniversary",
        "number",
        "days",
        "until the day of the year on which it joined comes round; 0 on the day",
    ),
    Column(
        "days_to_birthday",
        "number",
        "days",
        "until the day of the year on which it was founded comes round; 0 on the day",
    ),
)

OF_TARGETS: Mapping[str, tuple[tuple[str, ...], Type, str, str, tuple[str, ...]]] = {
    "probability": (WITH_PROBABILITY, "number", "0-1", "calibrated probability", ()),
    "amount": (("value",), "number", CURRENCY, "expected amount", ()),
    "days": (("next_order",), "number", "days", "median days until it; null beyond the horizon", ()),
    "percentile": (
        (*WITH_PROBABILITY, "value", "next_order"),
        "number",
        "0-1",
        "rank among the accounts of the model",
        (),
    ),
    "band": ((*WITH_PROBABILITY, "value", "next_order"), "text", "", "by percentile", BANDS),
    "value_at_stake": (RISKS, "number", CURRENCY, "probability × value", ()),
    "severity": (RISKS, "text", "", "by value at stake", SEVERITIES),
}
"""The columns of a score: the kinds of target that have each, type, unit, meaning and words."""

_STREAMS = tuple(STREAMS)
EVENT = (
    Column("event_stream", "text", "", "the stream", _STREAMS),
    Column("event_kind", "text", "", "what happened, in the words of its stream: opened, meeting, cancelled ..."),
    Column("event_status", "text", "", "how it went: cancelled, missed, removed ..."),
    Column("event_subject", "text", "", "what it was about: strategy, qbr, a function, a campaign"),
    Column("event_channel", "text", "", "how it reached us, or where it took place"),
    Column("event_level", "text", "", "the highest level in it", ("executive", "middle", "operational")),
    Column("event_category", "text", "", "the group of products"),
    Column("event_product_id", "text", "", "the product"),
    Column("event_amount", "number", CURRENCY, "of a purchase"),
    Column("event_quantity", "number", "pieces, minutes, points", "how much of it"),
    Column("event_scale", "text", "", "the question of a survey", ("nps", "csat", "ces")),
    Column("event_score", "number", "of the scale", "the answer to a survey"),
    Column("event_sentiment", "number", "-1 to 1", "how it sounds"),
    Column("case_severity", "text", "", "of a case", ("urgent", "high", "normal", "low")),
    Column("case_topic", "text", "", "of a case", ("complaint", "fault", "question", "request")),
    Column("case_channel", "text", "", "how the case reached us: phone, mail, portal ..."),
    Column("case_satisfaction", "number", "1-5", "the account's rating of the case"),
    Column("case_effort", "number", "1-7", "how easy it found it to get help"),
)
"""Columns of an event; null where its stream or the event has no value."""
_EVENT_NAMES = frozenset(column.name for column in EVENT)


def needed_features() -> tuple[Feature, ...]:
    """The features that the table of `account_rows` must hold."""
    renamed = [name for name in SHORT.values() if name not in (DAYS_SERVED.name, DAYS_KNOWN.name)]
    return tuple(FeatureSet([*named((*OF_CATALOG, *renamed)), DAYS_SERVED, DAYS_KNOWN]))


def columns_of_accounts(targets: Mapping[str, TargetOf]) -> dict[str, Column]:
    """The columns for conditions of playbooks and rules, by name."""
    # Fixed columns last: the name of a target cannot change their meaning.
    return {column.name: column for column in (*_of_targets(targets), *ACCOUNT, *BEFORE, *_of_features(), *ATTRIBUTES)}


def columns_of_events(targets: Mapping[str, TargetOf]) -> dict[str, Column]:
    """The columns for conditions of SLAs: the event, and the account as of the last night."""
    return {column.name: column for column in (*_of_targets(targets), *ACCOUNT, *EVENT)}


def by_kind(targets: Mapping[str, TargetOf]) -> dict[str, str]:
    """The targets that are the only ones of their kind, by kind: the kind can name their columns, too."""
    counts = Counter(target.kind for target in targets.values())
    return {target.kind: name for name, target in targets.items() if counts[target.kind] == 1}


def _called(targets: Mapping[str, TargetOf]) -> dict[str, str]:
    """The prefix of target columns → the target; a target's name goes before a kind."""
    return by_kind(targets) | {name: name for name in targets}


def _of_targets(targets: Mapping[str, TargetOf]) -> Iterator[Column]:
    for prefix, name in _called(targets).items():
        for answer, (kinds, type_, unit, meaning, words) in OF_TARGETS.items():
            if targets[name].kind in kinds:
                yield Column(f"{prefix}_{answer}", type_, unit, f"{name}: {meaning}", words)


@cache
def _of_features() -> tuple[Column, ...]:
    features = {feature.name: feature for feature in needed_features()}
    return tuple(_of_feature(name, features[feature]) for name, feature in _FEATURE_OF.items())


def _of_feature(name: str, feature: Feature) -> Column:
    if feature.unit == "0 or 1":
        said = feature.meaning.removeprefix("1 if ").removesuffix("; else 0").removesuffix(", 0 if not")
        return Column(name, "boolean", "", said)
    return Column(name, "number", feature.unit, f"{feature.meaning}; null: {feature.absent}".split("; null: 0:")[0])


def account_rows(
    table: pd.DataFrame,
    scores: pa.Table,
    account_segments: pa.Table,
    attributes: pa.Table,
    moves: pa.Table,
    as_of: datetime,
    targets: Mapping[str, TargetOf],
    timezone: str = "UTC",
) -> pa.Table:
    """One row per account of `account_segments`, in their order, with all of `columns_of_accounts`.

    `table` holds `needed_features()` by account_id (an index level); `scores` and `account_segments` the columns of the
    database's tables, value_at_stake and severity included; `attributes` account_id and NEEDED_ATTRIBUTES; `moves`
    account_id, scheme and before of that night. Of whom one of them does not speak its columns are null. `timezone` says
    where a day begins.
    """
    ids = pc.cast(account_segments["account_id"], pa.string())
    columns = columns_of_accounts(targets)
    parts = {
        **_scores_of(scores, ids, targets, columns),
        **{column.name: account_segments[column.name] for column in ACCOUNT},
        **_columns_before(account_segments, moves, ids),
        **_features(table, ids, columns),
        **_attributes(attributes, ids, as_of, timezone),
    }
    return _typed_table(parts, columns)


@dataclass(frozen=True)
class PostedEventOfAccount:
    """A posted event, and its account in the database.

    `segmentation` is its row of the table account_segments, None of an account that no night has seen; `scores` its rows of scores.
    """

    stream: str
    event: Mapping[str, Any]
    segmentation: Mapping[str, Any] | None
    scores: Sequence[Mapping[str, Any]]


def posted_rows(posted: Sequence[PostedEventOfAccount], targets: Mapping[str, TargetOf]) -> pa.Table:
    """One row of `columns_of_events` for each event, in their order."""
    columns = columns_of_events(targets)
    values = [_of_posted(one, targets) for one in posted]
    return _typed_table({name: [row.get(name) for row in values] for name in columns}, columns)


def _of_posted(posted: PostedEventOfAccount, targets: Mapping[str, TargetOf]) -> dict[str, Any]:
    answers = {row["target"]: row for row in posted.scores}
    scored = {
        f"{prefix}_{answer}": answers.get(name, {}).get(answer)
        for prefix, name in _called(targets).items()
        for answer in OF_TARGETS
    }
    stood = {column.name: (posted.segmentation or {}).get(column.name) for column in ACCOUNT}
    own = {name: posted.event.get(column) for name, column in event_columns(posted.stream).items()}
    return {**scored, **stood, "account_id": posted.event["account_id"], "event_stream": posted.stream, **own}


def event_rows(accounts: pa.Table, stream: str, events: pa.Table, targets: Mapping[str, TargetOf]) -> pa.Table:
    """One row of `columns_of_events` for each of many events of one stream, in their order: `accounts` has the columns of accounts, `events` the stream's."""
    columns = columns_of_events(targets)
    ids = pc.cast(events["account_id"], pa.string())
    rows = _places(ids, accounts["account_id"])
    own = {name: events[column] for name, column in event_columns(stream).items()}
    parts = {
        name: own.get(name, pa.nulls(len(ids))) if name in _EVENT_NAMES else _at(accounts[name], rows)
        for name in columns
    }
    return _typed_table(parts | {"account_id": ids, "event_stream": pa.repeat(stream, len(ids))}, columns)


def event_columns(stream: str) -> dict[str, str]:
    """The columns of EVENT that a stream fills, and its own column for each."""
    its = {column.name for column in STREAMS[stream].columns}
    prefixes = ("event_", "case_") if stream == "service" else ("event_",)
    named = {f"{prefix}{name}": name for prefix in prefixes for name in its}
    return {name: named[name] for name in _EVENT_NAMES if name in named}


def _typed_table(parts: Mapping[str, Any], columns: Mapping[str, Column]) -> pa.Table:
    schema = pa.schema([pa.field(name, ARROW[column.type]) for name, column in columns.items()])
    return pa.table([_as(parts[name], ARROW[column.type]) for name, column in columns.items()], schema=schema)


def _as(values: Any, kind: pa.DataType) -> Any:
    return pa.array(values, kind) if isinstance(values, list) else pc.cast(values, kind)


def _scores_of(
    scores: pa.Table, ids: Any, targets: Mapping[str, TargetOf], columns: Mapping[str, Column]
) -> dict[str, Any]:
    """The scores of each target in the order of the accounts."""
    found: dict[str, Any] = {}
    for name in targets:
        own = scores.filter(pc.equal(pc.cast(scores["target"], pa.string()), name))
        rows = _places(ids, own["account_id"])
        prefixes = [prefix for prefix, its in _called(targets).items() if its == name]
        for answer in (answer for answer in OF_TARGETS if f"{prefixes[0]}_{answer}" in columns):
            taken = _at(own[answer], rows)
            found |= {f"{prefix}_{answer}": taken for prefix in prefixes}
    return found


def _columns_before(account_segments: pa.Table, moves: pa.Table, ids: Any) -> dict[str, Any]:
    found = {}
    for scheme in SCHEMES:
        own = moves.filter(pc.equal(pc.cast(moves["scheme"], pa.string()), scheme))
        rows = _places(ids, own["account_id"])
        before = pc.cast(_at(own["before"], rows), pa.string())
        found[f"{scheme}_before"] = pc.if_else(rows != NOWHERE, before, pc.cast(account_segments[scheme], pa.string()))
    return found


def _features(table: pd.DataFrame, ids: Any, columns: Mapping[str, Column]) -> dict[str, Any]:
    rows = _places(ids, table.index.get_level_values("account_id"))
    return {name: _feature(table[feature], rows, columns[name].type) for name, feature in _FEATURE_OF.items()}


def _feature(values: "pd.Series[Any]", rows: Rows, type_: Type) -> pa.Array:
    # NOWHERE is the last place, which belongs to no account.
    found = _numbers(np.append(values.to_numpy(dtype=np.float64), np.nan)[rows])
    return pc.equal(found, 1.0) if type_ == "boolean" else found


def _attributes(attributes: pa.Table, ids: Any, as_of: datetime, timezone: str) -> dict[str, Any]:
    rows = _places(ids, attributes["account_id"])
    today = np.datetime64(as_of.astimezone(ZoneInfo(timezone)).date(), "D")
    taken = {name: _at(attributes[name], rows) for name in NEEDED_ATTRIBUTES}
    return {
        "country": taken["country"],
        "own_segment": taken["segment"],
        "days_to_anniversary": _numbers(days_to_next(_days(taken["joined_at"], timezone), today)),
        "days_to_birthday": _numbers(days_to_next(_days(taken["founded_at"], timezone), today)),
    }


def _places(ids: Any, among: Any) -> Rows:
    """The place of each account among others; NOWHERE where it is missing."""
    found = pc.index_in(_texts(ids), value_set=_texts(among).combine_chunks())
    return np.asarray(found.fill_null(NOWHERE))


def _texts(values: Any) -> pa.ChunkedArray:
    return (values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)])).cast(
        pa.large_string()
    )


def _numbers(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _at(values: Any, rows: Rows) -> Any:
    return values.combine_chunks().take(pa.array(rows, mask=rows == NOWHERE))


def _days(moments: Any, timezone: str) -> NDArray[np.datetime64]:
    there = pc.local_timestamp(pc.cast(moments, pa.timestamp("us", timezone)))
    return np.asarray(there.to_numpy(zero_copy_only=False)).astype("datetime64[D]")


def days_to_next(dates: NDArray[np.datetime64], today: np.datetime64) -> NDArray[np.float64]:
    """Days until the day of the year of each date comes round, 0 on the day; NaN of NaT. 29 February is 28 in other years."""
    year = today.astype("datetime64[Y]")
    this, following = (_in_year(dates, each) for each in (year, year + 1))
    left = (np.where(this >= today, this, following) - today).astype(np.float64)
    return np.where(np.isnat(dates), np.nan, left).astype(np.float64)


def _in_year(dates: NDArray[np.datetime64], year: np.datetime64) -> NDArray[np.datetime64]:
    months = dates.astype("datetime64[M]")
    of_year = months - dates.astype("datetime64[Y]").astype("datetime64[M]")
    first = year.astype("datetime64[M]") + of_year
    last = (first + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    same: NDArray[np.datetime64] = np.minimum(first.astype("datetime64[D]") + (dates - months), last)
    return same
