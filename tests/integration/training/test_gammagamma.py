"""Gamma-Gamma against the published figures, and against spending simulated by its own assumptions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.models.gammagamma import GammaGamma, fit

CDNOW = Path(__file__).parents[4] / "shared" / "data" / "cdnow" / "CDNOW_sample.parquet"


def test__cdnow__parameters_of_the_note():
    """Fader & Hardie (2013): p 6.25, q 3.74, γ 15.44 on the repeat orders of the sample's first 39 weeks."""
    if not CDNOW.exists():
        pytest.skip("../shared/data/cdnow is not there")
    lines = pd.read_parquet(CDNOW)
    orders = lines[lines["date"] <= "1997-09-30"].groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    repeats = orders[orders["date"] > orders.groupby("customer_id")["date"].transform("min")]
    own = repeats[repeats["amount"] > 0].groupby("customer_id")["amount"].agg(["count", "mean"])
    found = fit(own["count"], own["mean"])
    assert len(own) == 946
    assert (found.p, found.q, found.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)


def test__expected__between_everybodys_and_the_own_and_nearer_the_more_is_shown():
    """By hand: p 2, q 3, γ 50 put everybody at 2·50/(3 − 1) = 50; one order of 200 gives 2·250/4 = 125."""
    model = GammaGamma(2.0, 3.0, 50.0)
    assert model.expected([0, 1, 10], [0.0, 200.0, 200.0]) == pytest.approx([50.0, 125.0, 2 * 2050 / 22])


def test__simulated_spending__parameters_and_means_come_back():
    rng = np.random.default_rng(0)
    rates = rng.gamma(4.0, 1 / 20.0, 20_000)
    orders = rng.integers(1, 9, 20_000)
    shown = rng.gamma(5.0 * orders, 1 / rates) / orders
    found = fit(orders, shown)
    assert (found.p, found.q, found.gamma) == pytest.approx((5.0, 4.0, 20.0), rel=0.05)
    true = 5.0 / rates
    assert found.expected(orders, shown).mean() == pytest.approx(true.mean(), rel=0.02)
    assert np.square(found.expected(orders, shown) - true).mean() < np.square(shown - true).mean()


def test__fit__any_currency__scales_with_it():
    """Cents in place of euros multiply γ by 100 and leave p and q."""
    rng = np.random.default_rng(1)
    orders, shown = rng.integers(1, 6, 500), rng.gamma(3.0, 40.0, 500)
    euros, cents = fit(orders, shown), fit(orders, 100 * shown)
    assert (cents.p, cents.q, cents.gamma / 100) == pytest.approx((euros.p, euros.q, euros.gamma), rel=1e-3)


def test__fit__nothing_of_worth__refused():
    with pytest.raises(ValueError, match="no account ordered anything of worth"):
        fit([0, 2], [5.0, 0.0])
