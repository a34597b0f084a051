"""The columns of conditions: what each is, and how rows of them are put together."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.families import signals
from features.history.streams import STREAMS
from serving.interventions.declare.columns import (
    ARROW,
    EVENT,
    PostedEventOfAccount,
    account_rows,
    columns_of_accounts,
    columns_of_events,
    days_to_next,
    event_columns,
    event_rows,
    needed_features,
    posted_rows,
)
from serving.interventions.declare.expressions import holding
from serving.segmentation.settings import TargetOf

AS_OF = datetime(2026, 3, 1, 6, tzinfo=UTC)
TARGETS = {"leaving": TargetOf("churn", 90), "next_order": TargetOf("next_order", 120)}


def standing_of(account_id, **said):
    names = [
        "name", "owner", "region", "industry", "value", "potential", "quadrant", "tier", "segment", "health",
        "satisfaction", "contribution", "exposure", "risk", "band", "value_at_stake", "severity",
    ]  # fmt: skip
    return {"account_id": account_id, **dict.fromkeys(names), **said}


def score_of(account_id, target, **said):
    names = ["probability", "amount", "days", "percentile", "band", "value_at_stake", "severity"]
    return {"account_id": account_id, "target": target, **dict.fromkeys(names), **said}


@pytest.fixture
def accounts():
    """Three accounts: b is scored and moved, a has attributes and features, c has neither."""
    features = [feature.name for feature in needed_features()]
    table = pd.DataFrame(
        np.nan, index=pd.MultiIndex.from_product([["a", "b"], [AS_OF]], names=["account_id", "as_of"]), columns=features
    )
    table.loc["a", "signal_purchases_down_two_quarters"] = 1.0
    table.loc["b", "signal_purchases_down_two_quarters"] = 0.0
    table.loc["a", ["purchases_days_since_last", "account_strategic_fit_last"]] = [12.5, 4.0]
    moment = pa.timestamp("us", "UTC")
    attributes = pa.table(
        {
            "account_id": ["a"],
            "country": pa.array(["DE"]).dictionary_encode(),
            "segment": ["gold"],
            # A midnight of Berlin.
            "founded_at": pa.array([datetime(1990, 3, 4, 23, tzinfo=UTC)], moment),
            "joined_at": pa.array([None], moment),
        }
    )
    scores = [
        score_of("b", "leaving", probability=0.4, percentile=0.9, band="high", value_at_stake=40.0, severity="high"),
        score_of("b", "next_order", days=7.0, percentile=0.2, band="low"),
        score_of("a", "next_order", days=70.0),
    ]
    account_segments = [
        standing_of("b", value=100.0, tier="growth", segment="silent", owner="ann"),
        standing_of("c"),
        standing_of("a", tier="strategic", segment="new"),
    ]
    moves = pa.table({"account_id": ["b"], "scheme": ["segment"], "before": ["high_value"]})
    return account_rows(
        table, pa.Table.from_pylist(scores), pa.Table.from_pylist(account_segments), attributes, moves, AS_OF, TARGETS,
        "Europe/Berlin",
    )  # fmt: skip


def test__account_rows__have_the_documented_columns_with_their_types(accounts):
    documented = {name: ARROW[column.type] for name, column in columns_of_accounts(TARGETS).items()}
    assert dict(zip(accounts.column_names, accounts.schema.types, strict=True)) == documented


def test__account_rows__every_part_stands_beside_its_own_account(accounts):
    """Standings give the order; features, scores, attributes and moves come in orders of their own."""
    assert accounts["account_id"].to_pylist() == ["b", "c", "a"]
    assert accounts["leaving_probability"].to_pylist() == [0.4, None, None]
    assert accounts["leaving_value_at_stake"].to_pylist() == [40.0, None, None]
    assert accounts["next_order_days"].to_pylist() == [7.0, None, 70.0]
    assert accounts["purchases_days_since_last"].to_pylist() == [None, None, 12.5]
    assert accounts["purchases_down_two_quarters"].to_pylist() == [False, None, True]
    assert accounts["strategic_fit"].to_pylist() == [None, None, 4.0]
    assert accounts["country"].to_pylist() == [None, None, "DE"]
    assert accounts["own_segment"].to_pylist() == [None, None, "gold"]
    assert accounts["segment_before"].to_pylist() == ["high_value", None, "new"]
    assert accounts["tier_before"].to_pylist() == ["growth", None, "strategic"]


def test__account_rows__days_to_birthday__is_by_the_company_s_calendar(accounts):
    """1990-03-05 in Berlin, asked on 1 March."""
    assert accounts["days_to_birthday"].to_pylist() == [None, None, 4.0]
    assert accounts["days_to_anniversary"].to_pylist() == [None, None, None]


def test__columns__a_target_alone_of_its_kind__goes_by_the_kind_too(accounts):
    assert accounts["churn_band"].to_pylist() == accounts["leaving_band"].to_pylist() == ["high", None, None]
    both = columns_of_accounts({"leaving": TargetOf("churn", 90), "soon": TargetOf("churn", 30)})
    assert "churn_band" not in both
    assert {"leaving_band", "soon_band"} <= set(both)


def test__columns__a_target_s_own_name__goes_before_a_kind():
    """A target called churn that is no churn, and one of kind churn: the name is what the company says."""
    targets = {"churn": TargetOf("contraction", 90), "leaving": TargetOf("churn", 90)}
    assert columns_of_accounts(targets)["churn_band"].meaning.startswith("churn:")


def test__columns__a_target_whose_name_makes_a_fixed_column__does_not_change_it():
    columns = columns_of_events({"case": TargetOf("churn", 90)})
    assert "urgent" in columns["case_severity"].words


def test__columns__every_named_signal__is_a_boolean_without_its_prefix():
    columns = columns_of_accounts({})
    for feature in signals.FEATURES:
        assert columns[feature.name.removeprefix("signal_")].type == "boolean"


def test__columns__of_events__all_have_a_stream_that_fills_them():
    filled = {name for stream in STREAMS for name in event_columns(stream)} | {"event_stream"}
    assert filled == {column.name for column in EVENT}


@given(st.dates(date(1000, 1, 1), date(2200, 12, 31)), st.dates(date(1970, 1, 1), date(2100, 12, 31)))
@example(date(2000, 2, 29), date(2027, 2, 28))
@example(date(2000, 2, 29), date(2028, 2, 28))
@example(date(1990, 12, 31), date(2026, 12, 31))
def test__days_to_next__is_what_going_through_the_days_says(born, today):
    def comes_round(day):
        is_leap_day = (born.month, born.day) == (2, 29)
        has_leap_day = (day + timedelta(days=1)).month == 2
        return (day.month, day.day) == (born.month, born.day) or (
            is_leap_day and (day.month, day.day) == (2, 28) and not has_leap_day
        )

    expected = next(days for days in range(367) if comes_round(today + timedelta(days=days)))
    dates = np.array([born, "NaT"], dtype="datetime64[D]")
    found = days_to_next(dates, np.datetime64(today))
    assert found[0] == expected
    assert np.isnan(found[1])


def test__posted_rows__case_of_a_strategic_account__is_what_an_sla_asks_for():
    segmentation, event = (
        standing_of("a", tier="strategic"),
        {"account_id": "a", "kind": "opened", "severity": "urgent"},
    )
    row = posted_rows(
        [PostedEventOfAccount("service", event, segmentation, [score_of("a", "leaving", band="high")])], TARGETS
    )
    assert list(columns_of_events(TARGETS)) == row.column_names
    asked = "case_severity = 'urgent' and tier = 'strategic' and event_kind = 'opened' and churn_band = 'high'"
    assert holding(row, {"it": asked})["it"].tolist() == [True]
    unknown = posted_rows([PostedEventOfAccount("service", event, None, [])], TARGETS)
    assert holding(unknown, {"it": asked, "urgent": "case_severity = 'urgent'"}) == {"it": [False], "urgent": [True]}


def test__posted_rows__of_another_stream__has_no_case():
    event = {"account_id": "a", "kind": "meeting", "status": "cancelled"}
    row = posted_rows([PostedEventOfAccount("engagement", event, None, [])], {})
    assert row["event_status"].to_pylist() == ["cancelled"]
    assert row["case_channel"].to_pylist() == [None]


def test__event_rows__are_those_of_the_same_events_as_they_were_posted(accounts):
    """What `foresail rules test` asks is what the service asks."""
    events = [
        {"account_id": "b", "kind": "opened", "severity": "urgent", "channel": "mail"},
        {"account_id": "stranger", "kind": "opened", "severity": None, "channel": None},
        {"account_id": "a", "kind": "rated", "severity": None, "channel": None},
    ]
    columns = dict.fromkeys(event_columns("service").values())
    table = pa.Table.from_pylist([columns | event for event in events])
    scores = [score_of("b", "leaving", probability=0.4, percentile=0.9, band="high", value_at_stake=40.0, severity="high"),
              score_of("b", "next_order", days=7.0, percentile=0.2, band="low"), score_of("a", "next_order", days=70.0)]  # fmt: skip
    account_segments = {row["account_id"]: row for row in accounts.to_pylist()}
    posted = [
        PostedEventOfAccount(
            "service",
            event,
            account_segments.get(event["account_id"]),
            [score for score in scores if score["account_id"] == event["account_id"]],
        )
        for event in events
    ]
    assert event_rows(accounts, "service", table, TARGETS).to_pylist() == posted_rows(posted, TARGETS).to_pylist()
