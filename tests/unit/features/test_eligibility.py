"""Eligibility: bought within the active window, on the documented side of its edge."""

from datetime import timedelta

import pandas as pd
from histories import AS_OF
from storing import store

from features.engine.plan import FeatureSet
from features.engine.table import build_feature_table
from features.families.eligibility import active, had_purchase

MICROSECOND = timedelta(microseconds=1)


def bought(days_ago, kind="order", beside=timedelta()):
    moment = AS_OF - timedelta(days=days_ago) + beside
    return {"purchases": [{"occurred_at": moment, "known_at": moment, "kind": kind, "amount": 1.0}]}


def table_of(tmp_path, accounts, population):
    return build_feature_table(store(tmp_path, accounts), AS_OF, FeatureSet(population.features))


def test__eligible__active_window__open_at_its_old_end(tmp_path):
    """At least one purchase in (as_of − 365 days, as_of]; a return is no purchase."""
    accounts = {
        "at as_of": bought(0),
        "at the old end": bought(365),
        "just inside": bought(365, beside=MICROSECOND),
        "returned": bought(3, kind="return"),
    }
    population = active(365)
    table = table_of(tmp_path, accounts, population)
    eligible = dict(zip(table.index.get_level_values("account_id"), population.eligible(table), strict=True))
    assert eligible == {"at as_of": True, "at the old end": False, "just inside": True, "returned": False}


def test__eligible__no_active_window__everyone_who_ever_bought(tmp_path):
    """Without a window an order of ten years ago is enough."""
    population = active(None)
    table = table_of(tmp_path, {"old": bought(3650), "returned": bought(3, kind="return")}, population)
    assert population.eligible(table).tolist() == [True, False]


def test__why_not__says_it_in_words_and_only_for_the_ineligible(tmp_path):
    """A CRM shows this sentence in place of a score."""
    population = active(365)
    table = table_of(tmp_path, {"a": bought(3), "b": bought(412), "c": bought(3, kind="return")}, population)
    assert population.why_not(table) == [
        None,
        "no purchase in the last 365 days; the latest was 412 days ago",
        "no purchase on record",
    ]


def test__had_purchase__as_a_label__counts_only_what_follows(tmp_path):
    """For (as_of, as_of + 90 days] a purchase at as_of itself is of the past, one at its end is inside."""
    accounts = {"at start": bought(90), "after start": bought(90, beside=MICROSECOND), "at end": bought(0)}
    table = build_feature_table(store(tmp_path, accounts), AS_OF, [had_purchase(90)])
    got = pd.Series(table.iloc[:, 0].to_numpy(), index=table.index.get_level_values("account_id"))
    assert got.to_dict() == {"after start": 1.0, "at end": 1.0, "at start": 0.0}
