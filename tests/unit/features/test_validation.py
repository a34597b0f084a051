"""A mistake in a declaration is found when it is made, whatever the data."""

import math

import pytest
from histories import AS_OF

from features.definitions import (
    Constant,
    Derived,
    Feature,
    Season,
    at_most,
    events,
    ratio,
    still_ahead,
    times,
    weights,
)
from features.engine.events import Events
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_row
from features.engine.validation import DeclarationError

lines = events("purchases")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (events("weblogs").count(), "there is no stream 'weblogs'; the streams are purchases"),
        (lines.sum("amuont"), "has no column 'amuont' of its own; did you mean amount?"),
        (lines.last("product_id"), "column 'product_id' of 'purchases' holds texts, a number is needed here"),
        (lines.distinct("quantity"), "column 'quantity' of 'purchases' holds numbers, a text is needed here"),
        (lines.max("occurred_at"), "has no column 'occurred_at' of its own"),
        (lines.distinct("event_id"), "has no column 'event_id' of its own"),
        (events("purchases", kind="ordr").count(), "'kind' of 'purchases' is never 'ordr'; it is one of order, return"),
        (events("purchases", kind=at_most(2)).count(), "column 'kind' of 'purchases' holds texts"),
        (events("service", satisfaction="good").count(), "column 'satisfaction' of 'service' holds numbers"),
        (events("service").sum(weights("kind", opend=1.0)), "'kind' of 'service' is never 'opend'"),
        (lines.count(days=-5), "a window of -5.0 days holds nothing"),
        (lines.count(days=30, lag_days=-1), "would look into the future"),
        (lines.decayed_sum("amount", half_life_days=0), "decayed_sum with 0.0 days makes no sense"),
        (ratio(lines.count(), lines.sum("amuont")), "did you mean amount?"),
        (lines.quantile("amount", 50), "a quantile of 50.0 does not exist; give a share between 0 and 1"),
        (lines.largest_share("amount", "quantity"), "column 'quantity' of 'purchases' holds numbers, a text is needed"),
        (lines.sum(times("amount", "category")), "column 'category' of 'purchases' holds texts, a number is needed"),
        (events("contracts").mean("ends_at"), "column 'ends_at' of 'contracts' holds times, a number is needed"),
        (events("service").newest("case").count(), "has no column 'case' of its own; did you mean case_id?"),
        (lines.newest("order_id").where(kind="ordr").count(), "'kind' of 'purchases' is never 'ordr'"),
        (events("purchases", amount=still_ahead()).count(), "column 'amount' of 'purchases' holds numbers, a time is"),
        (events("purchases", category=()).count(), "'category' of 'purchases' is given no word that it may hold"),
        (
            events("purchases", category=(5,)).count(),
            "'category' of 'purchases' holds texts, and is never 5; put words in",
        ),
        (lines.sum(weights("kind", order="1")), "the weight of 'order' is '1'; give a number"),
        (lines.distinct(weights("kind", order=1.0)), "distinct counts words; give the name of a text column"),
        (lines.distinct(times("amount", "quantity")), "distinct counts words; give the name of a text column"),
        (lines.sum({"amount": 1}), "{'amount': 1} is no column of 'purchases'; give the name of one, as a text"),
        (lines.largest_share("amount", by=["category"]), "['category'] is no column of 'purchases'"),
        (lines.newest(None).count(), "None is no column of 'purchases'"),
        (events(["purchases"]).count(), "there is no stream '['purchases']'"),
        (lines.decayed_sum("amount", half_life_days=math.nan), "decayed_sum with nan days makes no sense"),
        (events("purchases", amount=at_most(math.nan)).count(), "the bound of 'amount' is nan; give a number"),
        (ratio(lines.count(), Constant("5")), "a constant is '5'; give a number"),
        (Constant(math.nan), "a constant is nan; give a number"),
        (Derived("ratio", lines.count(), lines.count()), "'ratio' is no formula; use ratio(), difference(), trend()"),
        (
            events("contracts", ends_at=still_ahead()).newest("contract_id").count(),
            "still_ahead() comes after newest()",
        ),
    ],
)
def test__feature_set__declaration_over_what_is_not_there__names_feature_and_cause(definition, message):
    """Not 0.0 for everybody, not a code in the place of a number, not a crash in compiled code."""
    with pytest.raises(DeclarationError, match="ours: ") as refused:
        FeatureSet([Feature("ours", definition, "", "", "")])
    assert message in str(refused.value)


def test__feature_set__sound_declarations__pass():
    """Any word may be asked of a column that the stream does not limit."""
    sound = FeatureSet(
        [
            Feature("a", events("purchases", channel=["web", "store"]).count(days=1), "", "", ""),
            Feature("b", lines.distinct("order_id", absent_is_own=True), "", "", ""),
            Feature("c", Season.SINE, "", "", ""),
        ]
    )
    assert sound.plan.program.columns.shape == (3,)


def test__days__whole_or_float__are_the_same_declaration():
    """A model must not be refused because somebody wrote 30.0."""
    assert lines.count(days=30) == lines.count(days=30.0)
    assert repr(lines.count(days=30)) == repr(lines.count(days=30.0))


@pytest.mark.parametrize("days", [1e5, 99_999_999, 1e9, 1e300])
def test__days__more_than_any_event_is_old__are_all_time(days):
    """Whoever writes a great many days means ever, and gets no overflow for it."""
    row = {"occurred_at": AS_OF, "known_at": AS_OF, "kind": "order", "amount": 3.0}
    definitions = [lines.sum("amount", days=days), lines.count(days=days, lag_days=days)]
    features = [Feature(f"f{number}", one, "", "", "") for number, one in enumerate(definitions)]
    assert build_feature_row(Events.from_rows({"purchases": [row]}), AS_OF, features).tolist() == [3.0, 0.0]
