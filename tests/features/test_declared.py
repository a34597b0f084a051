"""A mistake in a declaration is found when it is made, whatever the data."""

import pytest

from features.declared import DeclarationError
from features.definitions import Feature, Season, at_most, events, ratio, still_ahead, times, weights
from features.plan import FeatureSet

lines = events("purchases")


@pytest.mark.parametrize(
    ("definition", "said"),
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
        (
            events("contracts", ends_at=still_ahead()).newest("contract_id").count(),
            "still_ahead() comes after newest()",
        ),
    ],
)
def test__feature_set__declaration_over_what_is_not_there__names_feature_and_cause(definition, said):
    """Not 0.0 for everybody, not a code in the place of a number, not a crash in compiled code."""
    with pytest.raises(DeclarationError, match="ours: ") as refused:
        FeatureSet([Feature("ours", definition, "", "", "")])
    assert said in str(refused.value)


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
