"""The catalog: names that can be parsed unseen, declarations that say everything, a fingerprint that moves when a value can."""

import dataclasses
import re
import statistics
from datetime import UTC, datetime, timedelta

import pytest

from features.catalog import CATALOG, UnknownFeature, fingerprint, named
from features.definitions import Aggregate, Derived, Feature, Season, events, ratio
from features.engine.events import Events
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_row
from features.history.streams import STREAMS

START = datetime(2020, 1, 1, tzinfo=UTC)


def test__names__are_family_then_what__lower_case():
    """family_what_unit_stat_window, so that a name can be read without the catalog."""
    assert all(
        re.fullmatch(
            r"(purchases|engagement|meetings|surveys|telemetry|service|contracts|contacts|account|calendar|signal)(_[a-z0-9]+)+",
            one,
        )
        for one in CATALOG.names
    )


def windows(definition):
    if isinstance(definition, Derived):
        return windows(definition.first) | windows(definition.second)
    return {definition.days, definition.lag_days} if isinstance(definition, Aggregate) else set()


def test__a_window_in_the_name__is_the_window_of_the_declaration():
    """purchases_amount_sum_90d may not look back 180 days; what is new in 90 days is told from what lies before them."""
    for feature in CATALOG:
        said = re.search(r"_(\d+)d(_|$)", feature.name)
        if said:
            assert float(said[1]) in windows(feature.definition), feature.name


def test__declarations__speak_of_columns_that_streams_have():
    """A misspelt column must not wait for data to be noticed."""
    for stream, columns in CATALOG.plan.streams.items():
        assert columns <= {column.name for column in STREAMS[stream].columns}, stream


def test__declarations__say_what_they_mean_and_what_absent_means():
    """The catalog is read by people: no empty meaning, none given twice."""
    meanings = [feature.meaning for feature in CATALOG]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)
    assert all(feature.absent for feature in CATALOG if not isinstance(feature.definition, Season))


def test__fingerprint__moves_with_definition_name_and_order__not_with_wording():
    """It answers one question: would the same history give the same numbers?"""
    orders, lines = events("purchases", kind="order"), events("purchases")
    one = Feature("one", orders.count(days=30), "orders", "orders", "none")
    two = Feature("two", lines.count(days=30), "lines", "lines", "none")
    reworded = dataclasses.replace(one, meaning="number of orders")
    assert fingerprint([one, two]) == fingerprint([reworded, two])
    changes = [
        [two, one],
        [one],
        [dataclasses.replace(one, name="renamed"), two],
        [dataclasses.replace(one, definition=orders.count(days=31)), two],
        [dataclasses.replace(one, definition=lines.count(days=30)), two],
        [dataclasses.replace(one, definition=ratio(one.definition, two.definition)), two],
    ]
    assert len({fingerprint(one) for one in [[one, two], *changes]}) == 1 + len(changes)


def test__named__unknown__says_which_and_what_is_near():
    """A model that asks for a feature of another catalog must not be scored."""
    with pytest.raises(UnknownFeature, match="no feature purchases_amount_sum_91d; did you mean purchases_amount_sum"):
        named(["purchases_amount_sum_90d", "purchases_amount_sum_91d"])


def test__feature_set__same_name_twice__is_refused():
    """Two columns of one name could not be told apart in a model."""
    feature = Feature("one", events("purchases").count(), "", "", "")
    with pytest.raises(ValueError, match="declared twice: one"):
        FeatureSet([feature, feature])


def test__kernel__golden_row__moves_only_with_kernel_version():
    """Change a value of this row and every stored model is out of step: raise KERNEL_VERSION with it."""
    history = {
        "purchases": [
            {
                "occurred_at": START + timedelta(days=7 * week),
                "known_at": START + timedelta(days=7 * week),
                "kind": "order" if week % 5 else "return",
                "order_id": str(week),
                "product_id": str(week % 3),
                "amount": 10.5 + week if week % 5 else -3.25,
                "quantity": float(week),
            }
            for week in range(20)
        ]
    }
    row = dict(
        zip(
            CATALOG.names,
            build_feature_row(Events.from_rows(history), START + timedelta(days=140), CATALOG),
            strict=True,
        )
    )
    golden = {
        "purchases_days_since_last": 7.0,
        "purchases_orders_distinct_90d": 10.0,
        "purchases_amount_sum_90d": 242.0,
        "purchases_amount_std_365d": statistics.stdev(10.5 + week for week in range(20) if week % 5),
        "purchases_gap_days_mean": 8.4,
        "purchases_overdue_ratio": 7.0 / 8.4,
        "purchases_products_distinct_365d": 3.0,
        "purchases_returns_amount_sum_365d": -13.0,
        "purchases_amount_slope_365d": 1.0 / 7.0,
    }
    assert {name: row[name] for name in golden} == pytest.approx(golden, rel=1e-12)
