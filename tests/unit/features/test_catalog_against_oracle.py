"""Every declared feature equals the slow oracle, on random histories of all streams, ties and late arrivals included."""

from datetime import timedelta

import numpy as np
import pytest
from histories import AS_OF, busy_history, histories
from hypothesis import given, settings
from oracle import oracle

from features.catalog import CATALOG
from features.definitions import Aggregate, Derived, Stat
from features.engine.events import Events
from features.engine.table import build_feature_row


def rests_on(definition, stat):
    if isinstance(definition, Derived):
        return rests_on(definition.first, stat) or rests_on(definition.second, stat)
    return isinstance(definition, Aggregate) and definition.stat is stat


SLOPED = [feature for feature in CATALOG if rests_on(feature.definition, Stat.SLOPE)]
OTHERS = [feature for feature in CATALOG if not rests_on(feature.definition, Stat.SLOPE)]


def assert_equals_oracle(features, history, **close):
    row = build_feature_row(Events.from_rows(history), AS_OF, features)
    for feature, got in zip(features, row, strict=True):
        slow = oracle(feature.definition, history, AS_OF)
        assert got == pytest.approx(slow, nan_ok=True, **close), feature.name


@settings(max_examples=150, deadline=None)
@given(history=histories())
def test__every_feature__random_history_of_all_streams__equals_oracle(history):
    """What the catalog declares is what the kernel computes, NaN for NaN."""
    assert_equals_oracle(OTHERS, history, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("hundred", range(4))
def test__every_feature__busy_history__equals_oracle(hundred):
    """Accounts with enough of everything for gaps, states and comparisons to be there."""
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        assert_equals_oracle(OTHERS, busy_history(seed), rel=1e-9, abs=1e-6)


def test__busy_histories__give_every_feature_more_than_one_value():
    """A comparison of zeros with zeros would prove nothing."""
    rows = np.array([build_feature_row(Events.from_rows(busy_history(seed)), AS_OF, CATALOG) for seed in range(400)])
    values = {name: len(set(column[~np.isnan(column)])) for name, column in zip(CATALOG.names, rows.T, strict=True)}
    assert [name for name, different in values.items() if different < 2] == [
        "calendar_year_sine",
        "calendar_year_cosine",
    ]


def on_whole_days(history):
    """The same history with moments a day apart: a slope over microseconds is noise in both computations."""
    midnight = timedelta(days=1)
    return {
        stream: [row | {"occurred_at": AS_OF - ((AS_OF - row["occurred_at"]) // midnight) * midnight} for row in rows]
        for stream, rows in history.items()
    }


def test__slopes__moments_a_day_apart__equal_numpys():
    """The least-squares line that numpy fits has the same slope."""
    for seed in range(200):
        assert_equals_oracle(SLOPED, on_whole_days(busy_history(seed)), rel=1e-6, abs=1e-6)
