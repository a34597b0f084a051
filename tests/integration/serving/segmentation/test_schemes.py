"""Quadrants, tiers and segments: who stands where, what a cut is crossed by, and what a move says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_company import AS_OF, CHURN, attributes, by_account, moves, scores, segmentation, table

from serving.database.tables import account_segments, cuts, tier_moves
from serving.segmentation.hysteresis import Cut
from serving.segmentation.settings import Matrix, SegmentationSettings, Threshold, TierRule, Tiers

ABSOLUTE = SegmentationSettings(
    CHURN,
    matrix=Matrix(value=Threshold(absolute=10_000), potential=Threshold(absolute=0.5)),
    tiers=Tiers(value=Threshold(absolute=10_000)),
    margin=0.05,
)
MILLION = TierRule(tier="strategic", yearly_purchases=1_000_000, min_years=3, willing_to_be_reference=True)


def quadrants(stood):
    return by_account(stood.account_segments, "quadrant")


def test__stand__frames__are_what_the_tables_declare():
    """The night loads them as they are."""
    stood = segmentation(
        table(net=[1, 2]), scores(probability=[0.1, 0.2]), known=attributes(b=["B Ltd", "Li", None, "tools"])
    )
    assert list(stood.account_segments.columns) == [column.name for column in account_segments.columns]
    assert set(stood.moves.columns) == {column.name for column in tier_moves.columns}
    assert set(stood.cuts.columns) == {column.name for column in cuts.columns}
    assert (stood.account_segments["as_of"] == pd.Timestamp(AS_OF)).all()
    assert by_account(stood.account_segments, "name") == {"a": None, "b": "B Ltd"}
    assert by_account(stood.account_segments, "region") == {"a": None, "b": None}


def test__quadrant__value_and_potential__make_four():
    """Growth of the own industry is the one signal here; with few accounts all are peers."""
    of = table(net=[20_000, 20_000, 100, 100], growth=[0.1, 0.0, 0.1, 0.0])
    assert quadrants(segmentation(of, settings=ABSOLUTE)) == {
        "a": "strategic_core", "b": "stable_contributor", "c": "high_potential_growth", "d": "routine",
    }  # fmt: skip


def test__quadrant__nothing_known_of_potential_and_nothing_brought__is_not_high():
    """A cut at a quantile of nothing but zeros is 0, and who brings nothing is no core account."""
    stood = segmentation(table(net=[0, 0, 0, 0, 5]))
    assert set(quadrants(stood).values()) == {"routine", "stable_contributor"}
    assert quadrants(stood)["e"] == "stable_contributor"
    assert stood.account_segments["potential"].isna().all()


def test__quadrant__absolute_cut__is_crossed_only_by_more_than_the_margin():
    """5 % around 10,000: up above 10,500, down below 9,500; the side it is on holds in between."""
    first = segmentation(table(net=[9_999, 10_000]), settings=ABSOLUTE)
    assert quadrants(first) == {"a": "routine", "b": "stable_contributor"}
    for a, b in ((10_400, 9_600), (10_500, 9_500)):
        assert quadrants(
            segmentation(table(net=[a, b]), previous=first.account_segments, settings=ABSOLUTE)
        ) == quadrants(first)
    moved = segmentation(table(net=[10_501, 9_499]), previous=first.account_segments, settings=ABSOLUTE)
    assert moves(moved, "quadrant") == {
        "a": ("routine", "stable_contributor", "value 10,501 passed the cut of 10,500"),
        "b": ("stable_contributor", "routine", "value 9,499 fell below the cut of 9,500"),
    }


def test__quadrant__quantile_cut__has_its_margin_in_rank():
    """Of 101 accounts worth 0 to 100, high is from 80 on, stays down to 75, and begins above 85."""
    cut = Cut.of(Threshold(quantile=0.80), np.arange(101.0), 0.05)
    assert (cut.fall, cut.at, cut.rise) == pytest.approx((75, 80, 85))
    narrow = Cut.of(Threshold(quantile=0.98), np.arange(101.0), 0.05)
    assert (narrow.fall, narrow.rise) == pytest.approx((97, 99)), "a cut must stay passable"


@given(
    levels=st.lists(st.floats(10, 1e6), min_size=1, max_size=30),
    noise=st.lists(st.lists(st.floats(-0.049, 0.049), min_size=30, max_size=30), min_size=2, max_size=6),
    cut=st.floats(10, 1e6),
)
@settings(max_examples=200)
def test__hysteresis__noise_below_the_margin__moves_nobody_twice(levels, noise, cut):
    """Whatever the level, values that vary by less than the margin of the cut cross it once at most: no flapping."""
    the_cut, level = Cut.around(cut, 0.05 * cut), np.array(levels)
    before, crossings = np.full(len(level), np.nan), np.zeros(len(level))
    for night in noise:
        high = the_cut.exceeded(level + cut * np.array(night[: len(level)]), before)
        crossings += (~np.isnan(before)) & (high != before)
        before = high.astype(float)
    assert crossings.max() <= 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.8, 0.9]))
@settings(max_examples=100)
def test__hysteresis__ranks_that_vary_by_less_than_the_margin__move_nobody(seed, quantile):
    """The accounts' values all change every night, and with them the cut; what counts is by how much ranks do."""
    random, before = np.random.default_rng(seed), np.full(400, np.nan)
    rank, first = np.arange(400.0), None
    for _ in range(5):
        order = np.argsort(rank + random.uniform(0, 0.045 * 400, 400))  # a rank moves by less than 5 % of the accounts
        value = np.empty(400)
        value[order] = np.sort(random.lognormal(5, 2, 400))
        high = Cut.of(Threshold(quantile=quantile), value, 0.05).exceeded(value, before)
        first, before = (high if first is None else first), high.astype(float)
        clear = np.abs(rank / 400 - quantile) > 0.1
        assert (high == (rank / 400 > quantile))[clear].all(), "what is clear is said whatever was before"
    assert ((high != first)[~clear]).mean() <= 0.5


def test__hysteresis__clear_change__always_moves():
    first = segmentation(table(net=[100, 50_000]), settings=ABSOLUTE)
    turned = segmentation(table(net=[50_000, 100]), previous=first.account_segments, settings=ABSOLUTE)
    assert quadrants(turned) == {"a": "stable_contributor", "b": "routine"}


def test__tier__value_and_fit__make_three_and_rules_come_first():
    """Over 1,000,000 a year, at least 3 years and willing to be a reference is strategic, whatever its fit."""
    of = table(
        net=[20_000, 20_000, 100, 100, 1_000_001, 1_000_001, 1_000_001],
        fit=[4, 3, 5, np.nan, 1, 1, 1],
        served=[0, 0, 0, 0, 1096, 1095, 1096],
        reference=[0, 0, 0, 0, 1, 1, 0],
    )
    tiers = Tiers(value=Threshold(absolute=10_000), rules=(MILLION,))
    stood = segmentation(of, settings=SegmentationSettings(CHURN, tiers=tiers, margin=0.05))
    assert by_account(stood.account_segments, "tier") == {
        "a": "strategic", "b": "growth", "c": "growth", "d": "potential",
        "e": "strategic", "f": "growth", "g": "growth",
    }  # fmt: skip


def test__tier__move__says_the_rule_or_value_and_fit():
    tiers = Tiers(value=Threshold(absolute=10_000), rules=(MILLION,))
    told = SegmentationSettings(CHURN, tiers=tiers, margin=0.05)
    first = segmentation(table(net=[900_000, 100, 100], fit=[1, 4, 1], served=1461, reference=1), settings=told)
    of = table(net=[1_100_000, 20_000, 9_600], fit=[1, 4, 4], served=1461, reference=1)
    assert moves(segmentation(of, previous=first.account_segments, settings=told), "tier") == {
        "a": ("growth", "strategic", "rule 1: net purchases of a year 1,100,000 (over 1,000,000), an account for 4 years (at least 3), willing to be a reference"),
        "b": ("growth", "strategic", "value 20,000 passed the cut of 10,500; strategic fit 4 is at least 4"),
        "c": ("potential", "growth", "value 9,600 is below the cut of 10,500; strategic fit 4 is at least 4"),
    }  # fmt: skip


def test__tier__rule__is_left_only_by_more_than_the_margin():
    """960,000 is no reason to take a strategic account its team away; 949,999 is."""
    told = SegmentationSettings(CHURN, tiers=Tiers(value=Threshold(absolute=10_000), rules=(MILLION,)), margin=0.05)
    first = segmentation(table(net=[1_100_000] * 2, fit=1, served=1461, reference=1), settings=told)
    later = segmentation(
        table(net=[960_000, 940_000], fit=1, served=1461, reference=1), previous=first.account_segments, settings=told
    )
    assert by_account(later.account_segments, "tier") == {"a": "strategic", "b": "growth"}


def segments(of, its_scores=None, previous=None):
    told = scores(probability=[]) if its_scores is None else its_scores
    return by_account(segmentation(of, told, previous=previous, settings=ABSOLUTE).account_segments, "segment")


def test__segment__each_account_stands_on_the_first_rung_that_holds():
    """Silent is not at risk any more, new is not yet; the rest goes by frequency, value and potential."""
    of = table(
        ids=["silent", "never", "served", "new", "risk", "falls", "valued", "grows", "seldom", "regular"],
        since=[366, np.nan, 400, 5, 30, 30, 30, 30, 30, 30],
        known=[800, 366, 800, 90, 800, 800, 800, 800, 800, 800],
        contracts=[0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        lately=[0, 0, 0, 1, 6, 2, 6, 2, 1, 3],
        earlier=[0, 0, 0, 0, 6, 4, 6, 2, 2, 2],
        year=[0, 0, 0, 1, 12, 6, 12, 4, 3, 5],
        net=[0, 0, 0, 0, 50_000, 50_000, 50_000, 100, 100, 100],
        growth=[np.nan] * 7 + [0.9, 0.1, 0.1],
    )
    risks = scores(ids=of.index, probability=[np.nan] * 4 + [0.9, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert segments(of, risks) == {
        "silent": "silent", "never": "silent", "served": "potential", "new": "new", "risk": "at_risk",
        "falls": "low_frequency", "valued": "high_value", "grows": "potential", "seldom": "low_frequency",
        "regular": "potential",
    }  # fmt: skip


def test__segment__frequency_falls__the_account_moves_to_the_cultivation_pool_by_itself():
    first = segmentation(table(net=[50_000], lately=[8], earlier=[8]), settings=ABSOLUTE)
    moved = segmentation(
        table(net=[50_000], lately=[3], earlier=[8]), previous=first.account_segments, settings=ABSOLUTE
    )
    assert moves(moved, "segment") == {"a": ("high_value", "low_frequency", "orders of 180 days fell from 8 to 3")}
    back = segmentation(
        table(net=[50_000], lately=[7], earlier=[8]), previous=moved.account_segments, settings=ABSOLUTE
    )
    assert moves(back, "segment") == {"a": ("low_frequency", "high_value", "value 50,000 is above the cut of 9,500")}


def test__segment__too_few_orders_before__cannot_fall():
    """From 3 orders to 2 is chance."""
    assert segments(table(net=[50_000] * 2, earlier=[3, 4], lately=[2, 2])) == {"a": "high_value", "b": "low_frequency"}


def test__segment__risk_near_its_cut__does_not_flap():
    """0.90 and 0.05: at risk from 0.95 on, once it was not; no more below 0.85."""
    of, before = table(net=[100] * 3), None
    for risk, expected in (
        ([0.89, 0.90, 0.80], ["potential", "at_risk", "potential"]),
        ([0.94, 0.86, 0.96], ["potential", "at_risk", "at_risk"]),
        ([0.96, 0.84, 0.86], ["at_risk", "potential", "at_risk"]),
    ):
        stood = segmentation(of, scores(probability=risk), previous=before, settings=ABSOLUTE)
        assert stood.account_segments["segment"].tolist() == expected
        before = stood.account_segments
    assert moves(stood, "segment")["b"] == (
        "at_risk", "potential", "12 orders in 365 days, and not yet of high value",
    )  # fmt: skip


def test__moves__first_night__everybody_has_a_first_standing_in_every_scheme():
    stood = segmentation(table(net=[1, 2]))
    assert len(stood.moves) == 6
    assert stood.moves["before"].isna().all()
    assert (stood.moves["why"] == "first segmentation").all()
    again = segmentation(table(net=[1, 2]), previous=stood.account_segments)
    assert again.moves.empty


def test__moves__forgotten_account__leaves_no_trace():
    """It is not in the table any more, and must not come back as a row of the log."""
    first = segmentation(table(net=[1, 2]))
    assert segmentation(table(net=[1]), previous=first.account_segments).moves.empty


def test__opted_out__stands_nowhere_and_counts_in_no_rank():
    """Its attributes stay; its move to nowhere is logged once; the others stand as if it were not there."""
    of, told = table(net=[10, 20, 30], growth=[0.1, 0.2, 0.3], nps=8), scores(probability=[0.2, 0.3, 0.9])
    first = segmentation(of, told)
    of["population_opted_out"] = [0.0, 0.0, 1.0]
    told.loc[2, ["probability", "percentile"]] = np.nan
    known = attributes(c=["C Ltd", "Li", "north", "tools"])
    out = segmentation(of, told, previous=first.account_segments, known=known)
    row = out.account_segments.set_index("account_id").loc["c"]
    assert row[["name", "owner", "region", "industry"]].tolist() == ["C Ltd", "Li", "north", "tools"]
    assert row.drop(["as_of", "name", "owner", "region", "industry"]).isna().all()
    assert {scheme: moves(out, scheme)["c"][1:] for scheme in ("quadrant", "tier", "segment")} == dict.fromkeys(
        ("quadrant", "tier", "segment"), (None, "the account opted out of profiling")
    )
    alone = segmentation(of.iloc[:2], told.iloc[:2], previous=first.account_segments.iloc[:2])
    pd.testing.assert_frame_equal(
        out.account_segments.iloc[:2].drop(columns="name"),
        alone.account_segments.drop(columns="name"),
        check_dtype=False,
    )
    assert segmentation(of, told, previous=out.account_segments).moves.empty


def test__stand__no_account__is_empty_frames():
    """A company on its first day breaks nothing."""
    stood = segmentation(table(net=[]))
    assert stood.account_segments.empty
    assert stood.moves.empty
    assert stood.cuts.empty


def test__stand__order_of_accounts__changes_nothing():
    """Deterministic: the same accounts in another order stand where they stood."""
    rng = np.random.default_rng(3)
    ids = [f"A{row:03}" for row in range(200)]
    of = table(
        ids=ids, net=rng.lognormal(5, 2, 200).round(-1), growth=rng.random(200).round(1), fit=rng.integers(1, 6, 200)
    )
    told = scores(ids=ids, probability=rng.random(200))
    mixed = rng.permutation(200)
    there = segmentation(of, told).account_segments.set_index("account_id")
    here = segmentation(of.iloc[mixed], told.iloc[mixed[::-1]]).account_segments.set_index("account_id")
    pd.testing.assert_frame_equal(here.loc[ids], there)
