"""Potential is independent of revenue; health is reckoned from what is on record."""

import numpy as np
import pandas as pd
import pytest
from segmentation_company import CHURN, by_account, scores, segmentation, table

from serving.segmentation.settings import Health, HealthWeights, SegmentationSettings, TargetOf


def test__potential__signals_that_go_with_revenue__do_not_make_it_go_with_revenue():
    """Large accounts are larger, more influential and of better fit: among their peers they are ranked all the same."""
    rng = np.random.default_rng(1)
    size = rng.normal(size=1500)
    net = np.where(rng.random(1500) < 0.2, 0, np.exp(6 + size + 0.3 * rng.normal(size=1500)))
    of = table(
        ids=[str(row) for row in range(1500)], net=net, fit=np.clip(np.round(3 + size), 1, 5),
        account_size_last=np.exp(size), account_influence_last=np.round(2 + size),
    )  # fmt: skip
    potential = segmentation(of).account_segments["potential"]
    assert abs(potential.corr(pd.Series(net), method="spearman")) < 0.05
    assert potential.between(0, 1).all()


def test__potential__more_of_a_signal_among_peers__is_more_of_it():
    """Room left for us counts as much as growth does; what is not on record is left out, and is no bad sign."""
    nan = np.nan
    of = table(net=[100] * 4, growth=[0.1, 0.0, nan, nan], account_market_share_last=[nan, nan, 0.2, 0.9])
    potential = by_account(segmentation(of).account_segments, "potential")
    assert potential == {"a": 0.75, "b": 0.25, "c": 0.75, "d": 0.25}


def test__potential__propensities__are_signals_too():
    settings = SegmentationSettings(CHURN | {"more": TargetOf("upsell", 90), "other": TargetOf("cross_sell", 90)})
    told = pd.concat([scores("more", probability=[0.1, 0.6]), scores("other", probability=[0.2, 0.4])])
    assert by_account(segmentation(table(net=[1, 1]), told, settings=settings).account_segments, "potential") == {
        "a": 0.25,
        "b": 0.75,
    }


def test__health__all_three_parts__by_hand():
    """NPS 8 of 10 is 80; one open complaint of two cases is 100 × 2^−1.25; worth more than all others, and steady; risk 0.3."""
    of = table(
        net=[500, 100, 200], nps=[8, np.nan, np.nan], complaints=[1, 0, 0], cases=[2, 0, 0], trend=[0, np.nan, -1]
    )
    stood = segmentation(of, scores(probability=[0.3, 0.5, np.nan])).account_segments.set_index("account_id")
    satisfaction = (80 + 100 * 2**-1.25) / 2
    assert stood.loc["a", ["satisfaction", "contribution", "exposure"]].tolist() == pytest.approx(
        [satisfaction, 0.7 * 100 + 0.3 * 50, 70]
    )
    assert stood.loc["a", "health"] == pytest.approx(0.3 * satisfaction + 0.3 * 85 + 0.4 * 70)


def test__health__absent_parts__are_left_out_and_the_others_take_their_place():
    """Nothing asked, no case, no trend: contribution and exposure share the weight, 3 to 4. Not scored: contribution alone."""
    of = table(net=[500, 100, 200], first=100, trend=0.9)
    stood = segmentation(of, scores(probability=[np.nan, 0.5, 0.2])).account_segments.set_index("account_id")
    assert stood["satisfaction"].isna().all()
    assert stood["contribution"].tolist() == [100, 0, 50], "the trend of an account of 100 days says that it is new"
    assert stood["health"].tolist() == pytest.approx([100, (0.4 * 50) / 0.7, (0.3 * 50 + 0.4 * 80) / 0.7])


def test__health__case_closed_lately__counts_as_satisfied_and_no_case_as_unknown():
    of = table(net=[1, 1], opened=[1, 0])
    assert by_account(segmentation(of).account_segments, "satisfaction") == {"a": 100, "b": None}


def test__health__weights__are_the_company_s():
    settings = SegmentationSettings(
        CHURN, health=Health(weights=HealthWeights(satisfaction=0, contribution=0, exposure=1))
    )
    stood = segmentation(table(net=[1, 2]), scores(probability=[0.25, np.nan]), settings=settings).account_segments
    assert by_account(stood, "health") == {"a": 75, "b": None}


def test__health__stays_within_0_and_100():
    rng = np.random.default_rng(2)
    of = table(
        ids=[str(row) for row in range(300)], net=rng.normal(100, 100, 300), nps=rng.integers(0, 11, 300),
        csat=rng.integers(1, 6, 300), complaints=rng.integers(0, 9, 300), cases=9, trend=rng.choice([-1, 0, 1], 300),
    )  # fmt: skip
    parts = segmentation(of, scores(ids=of.index, probability=rng.random(300))).account_segments
    for part in ("health", "satisfaction", "contribution", "exposure"):
        assert parts[part].between(0, 100).all()
