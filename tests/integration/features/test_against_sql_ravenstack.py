"""Contracts, cases, use and attributes of a software company's files, dirty keys and all, equal SQL written by hand.

The files: 21 usage ids stand for two uses each, so an event is told by usage and subscription; three in four uses lie
before their subscription begins and are taken as they are; when a subscription ended was known when it did.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest

from features.catalog import named
from features.engine.table import build_feature_table
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History

DATA = Path(__file__).parents[4] / "shared" / "data" / "ravenstack"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"real data is not there: {DATA}")

AS_OF = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 10, 1, tzinfo=UTC)]
TODAY = datetime(2025, 1, 2, tzinfo=UTC)

CONTRACTS = """
    select account_id, subscription_id as contract_id, start_date as occurred_at, 'signed' as kind,
        subscription_id || '/signed' as event_id, plan_tier as category, seats as quantity, arr_amount as value,
        case auto_renew_flag when 'True' then 'automatic' else 'manual' end as renewal
    from source
    union all
    select account_id, subscription_id, end_date, 'cancelled', subscription_id || '/cancelled',
        plan_tier, seats, arr_amount, null
    from source where end_date is not null
"""
USAGE = """
    select account_id, usage_date as occurred_at, usage_id || '/' || subscription_id as event_id, 'usage' as kind,
        feature_name as subject, usage_count as quantity
    from source join subscriptions using (subscription_id)
"""
TICKETS = """
    with tickets as (select *, submitted_at::timestamp as opened_at from source)
    select account_id, ticket_id as case_id, opened_at as occurred_at, 'opened' as kind,
        case priority when 'medium' then 'normal' else priority end as severity,
        null as hours_to_answer, null as hours_to_resolve, null as satisfaction
    from tickets
    union all
    select account_id, ticket_id, opened_at + to_minutes(first_response_time_minutes::int), 'answered', null,
        try_cast(first_response_time_minutes as double) / 60, null, null
    from tickets
    union all
    select account_id, ticket_id, closed_at::timestamp, 'resolved', null, null, resolution_time_hours, null from tickets
    union all
    select account_id, ticket_id, closed_at::timestamp, 'rated', null, null, null, satisfaction_score
    from tickets where satisfaction_score is not null
"""
ACCOUNTS = (
    "select account_id, signup_date as known_at, signup_date as joined_at, industry, country, seats as size from source"
)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    history = History(tmp_path_factory.mktemp("history"), buckets=4)
    names = ("accounts", "subscriptions", "feature_usage", "support_tickets")
    files = {name: str(DATA / f"ravenstack_{name}.csv") for name in names}
    subscriptions = {"subscriptions": files["subscriptions"]}
    sources = (
        (Source("subscriptions", "contracts", files["subscriptions"], select=CONTRACTS), 5_486),
        (Source("usage", "engagement", files["feature_usage"], select=USAGE, tables=subscriptions), 25_000),
        (Source("tickets", "service", files["support_tickets"], select=TICKETS), 3 * 2_000 + 1_175),
        (Source("accounts", "accounts", files["accounts"], select=ACCOUNTS), 500),
    )
    for source, expected in sources:
        report = ingest(history, source, as_of=TODAY, timezone="UTC", earliest=datetime(2020, 1, 1, tzinfo=UTC))
        assert (report.kept, report.quarantined) == (expected, 0), source.name
    return history


def days(moment):
    return f"epoch(as_of - {moment}) / 86400"


RUNNING = "end_date is null or end_date > as_of"
IN_30, IN_90, IN_365 = (f"usage_date > as_of - interval {days} day" for days in (30, 90, 365))
BEFORE_90 = "usage_date <= as_of - interval 90 day and usage_date > as_of - interval 180 day"
OF_SUBSCRIPTIONS = {
    "contracts_in_force_count": f"count(*) filter ({RUNNING})",
    "contracts_value_sum": f"coalesce(sum(arr_amount) filter ({RUNNING}), 0)",
    "contracts_quantity_sum": f"coalesce(sum(seats) filter ({RUNNING}), 0)",
    "contracts_days_since_first": days("min(start_date)"),
    "contracts_cancelled_count_365d": "count(*) filter (end_date <= as_of and end_date > as_of - interval 365 day)",
    "contracts_days_since_cancelled": days("max(end_date) filter (end_date <= as_of)"),
    "contracts_days_left_min": "null",
    "contracts_notice_given_count": "0",
    "contracts_lapsed_count": "0",
}
OF_USAGE = {
    "engagement_usage_count_90d": f"count(*) filter ({IN_90})",
    "engagement_days_since_usage": days("max(usage_date)"),
    "engagement_count_365d": f"count(*) filter ({IN_365})",
    "engagement_usage_quantity_sum_30d": f"coalesce(sum(usage_count) filter ({IN_30}), 0)",
    "engagement_usage_quantity_trend_90d": f"""
        (coalesce(sum(usage_count) filter ({IN_90}), 0) - coalesce(sum(usage_count) filter ({BEFORE_90}), 0))
        / nullif(coalesce(sum(usage_count) filter ({IN_90}), 0) + coalesce(sum(usage_count) filter ({BEFORE_90}), 0), 0)""",
    "engagement_functions_distinct_90d": f"count(distinct feature_name) filter ({IN_90})",
    "engagement_functions_dropped_90d": f"""len(list_filter(
        list_distinct(coalesce(list(feature_name) filter ({BEFORE_90}), [])),
        lambda name: not list_contains(coalesce(list(feature_name) filter ({IN_90}), []), name)))""",
    "signal_use_falling": f"""(count(*) filter ({IN_30}) < 0.75 * count(*) filter (
        usage_date <= as_of - interval 30 day and usage_date > as_of - interval 60 day))::int""",
}
OPEN = "closed_at > as_of"
CLOSED_365 = "closed_at <= as_of and closed_at > as_of - interval 365 day"
ANSWERED_365 = "answered_at <= as_of and answered_at > as_of - interval 365 day"
OF_TICKETS = {
    "service_days_since_opened": days("max(opened_at)"),
    "service_opened_count_365d": "count(*) filter (opened_at > as_of - interval 365 day)",
    "service_opened_trend_90d": """
        (count(*) filter (opened_at > as_of - interval 90 day) - count(*) filter (
            opened_at <= as_of - interval 90 day and opened_at > as_of - interval 180 day))
        / nullif(count(*) filter (opened_at > as_of - interval 180 day), 0)""",
    "service_urgent_count_365d": "count(*) filter (priority = 'urgent' and opened_at > as_of - interval 365 day)",
    "service_severity_decayed_sum": """coalesce(sum(
        case priority when 'urgent' then 8 when 'high' then 4 when 'medium' then 2 else 1 end
        * pow(0.5, epoch(as_of - opened_at) / 86400 / 30)), 0)""",
    "service_open_cases_count": f"count(*) filter ({OPEN})",
    "service_days_open_max": days(f"min(opened_at) filter ({OPEN})"),
    "service_unanswered_cases_count": f"count(*) filter ({OPEN} and answered_at > as_of)",
    "service_answer_hours_mean_365d": f"avg(first_response_time_minutes / 60) filter ({ANSWERED_365})",
    "service_resolution_hours_mean_365d": f"avg(resolution_time_hours) filter ({CLOSED_365})",
    "service_resolution_hours_max_365d": f"max(resolution_time_hours) filter ({CLOSED_365})",
    "service_resolved_within_day_share_365d": f"""count(*) filter ({CLOSED_365} and resolution_time_hours <= 24)
        / nullif(count(*) filter ({CLOSED_365}), 0)""",
    "service_satisfaction_mean_365d": f"avg(satisfaction_score) filter ({CLOSED_365})",
    "service_poor_ratings_count_365d": f"count(*) filter ({CLOSED_365} and satisfaction_score <= 2)",
}
OF_ACCOUNTS = {"account_size_last": "max(seats)", "account_days_since_joined": days("max(signup_date)")}
NAMES = [*OF_SUBSCRIPTIONS, *OF_USAGE, *OF_TICKETS, *OF_ACCOUNTS]


def facts(table, moment, columns):
    """Each account's answers from one file, from its rows up to each as_of; accounts without any have what nothing gives."""
    told = ", ".join(f"({sql})::double as {name}" for name, sql in columns.items())
    return f"""
        select account_id, as_of, {told} from (select * from everybody left join {table} using (account_id))
        where {moment} <= as_of group by account_id, as_of"""


def by_sql():
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    for name in ("accounts", "subscriptions", "feature_usage", "support_tickets"):
        connection.execute(f"create view {name} as from '{DATA}/ravenstack_{name}.csv'")
    connection.execute("""create view uses as
        select u.*, s.account_id from feature_usage u join subscriptions s using (subscription_id)""")
    connection.execute("""create view tickets as
        select *, submitted_at as opened_at, submitted_at + to_minutes(first_response_time_minutes) as answered_at
        from support_tickets""")
    dates = ", ".join(f"(timestamp '{moment:%Y-%m-%d}')" for moment in AS_OF)
    connection.execute(f"""create view everybody as
        select distinct account_id, as_of from (values {dates}) as dates(as_of), (
            select account_id, signup_date as since from accounts union all select account_id, start_date from subscriptions
            union all select account_id, usage_date from uses union all select account_id, submitted_at from tickets)
        where since <= as_of""")
    frame = connection.sql("select account_id, as_of from everybody").df()
    for table, moment, columns in (
        ("subscriptions", "start_date", OF_SUBSCRIPTIONS),
        ("uses", "usage_date", OF_USAGE),
        ("tickets", "opened_at", OF_TICKETS),
        ("accounts", "signup_date", OF_ACCOUNTS),
    ):
        frame = frame.merge(connection.sql(facts(table, moment, columns)).df(), how="left", on=["account_id", "as_of"])
    return frame.sort_values(["account_id", "as_of"], ignore_index=True)


def test__catalog__ravenstack__equals_sql(history):
    """500 accounts at two moments, 33 features of four streams; an account without a stream has zeros or nothing."""
    features = named(NAMES)
    table, expected = build_feature_table(history, AS_OF, features), by_sql()
    assert expected["account_id"].tolist() == table.index.get_level_values("account_id").tolist()
    assert len(expected) > 700
    for feature in features:
        wanted = expected[feature.name].to_numpy(float)
        counts = feature.absent.startswith(("0", "never absent"))
        np.testing.assert_allclose(
            table[feature.name].to_numpy(),
            np.nan_to_num(wanted) if counts else wanted,
            rtol=1e-9,
            atol=1e-9,
            err_msg=feature.name,
        )


def test__ravenstack__at_the_earlier_date__most_of_what_is_compared_varies(history):
    """Equal columns of zeros would prove nothing."""
    table = build_feature_table(history, AS_OF, named(NAMES))
    same = [name for name in NAMES if table[name].nunique(dropna=False) < 2]
    # No fixed terms are in the files, and nobody rated below 3.
    assert same == [
        "contracts_days_left_min",
        "contracts_notice_given_count",
        "contracts_lapsed_count",
        "service_poor_ratings_count_365d",
    ]
