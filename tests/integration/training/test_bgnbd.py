"""BG/NBD against the published figures of its own paper, and against buying that is simulated by its own assumptions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.bgnbd import BgNbd, Buying, fit, log_likelihood

CDNOW = Path(__file__).parents[4] / "shared" / "data" / "cdnow" / "CDNOW_sample.parquet"
END, WEEK = pd.Timestamp("1997-09-30"), pd.Timedelta(weeks=1)
PUBLISHED = BgNbd(0.243, 4.414, 0.793, 2.426)


@pytest.fixture(scope="module")
def cdnow():
    """Weeks of the 2,357 accounts in the first 39 weeks, and how often each bought in the 39 after them."""
    if not CDNOW.exists():
        pytest.skip("../shared/data/cdnow is not there")
    orders = pd.read_parquet(CDNOW).drop_duplicates(["customer_id", "date"])
    before, after = orders[orders["date"] <= END], orders[orders["date"] > END]
    own = before.groupby("customer_id")["date"].agg(["count", "min", "max"])
    later = after.groupby("customer_id").size().reindex(own.index, fill_value=0)
    return Buying.of(own["count"] - 1, (own["max"] - own["min"]) / WEEK, (END - own["min"]) / WEEK), later.to_numpy()


def test__cdnow__parameters_of_the_paper_to_three_digits(cdnow):
    """Fader, Hardie & Lee (2005), table 2: r .243, α 4.414, a .793, b 2.426, log-likelihood −9,582.4."""
    found = fit(cdnow[0])
    assert [round(one, 3) for one in (found.r, found.alpha, found.a, found.b)] == [0.243, 4.414, 0.793, 2.426]
    assert log_likelihood(found, cdnow[0]) == pytest.approx(-9582.4, abs=0.05)


def test__cdnow__hold_out_is_foreseen_as_in_the_paper(cdnow):
    """Individual hold-out correlation of about 0.63, and the total, which it foresees too low."""
    buying, later = cdnow
    expected = PUBLISHED.expected_within(buying, 39.0)
    assert np.corrcoef(expected, later)[0, 1] == pytest.approx(0.63, abs=0.01)
    assert expected.sum() == pytest.approx(0.88 * later.sum(), rel=0.02)


def test__simulated_buying__no_purchase_as_often_as_it_says():
    """Accounts that live by the model's assumptions: in every fifth the probability is the frequency."""
    rng, true, known, horizon = np.random.default_rng(1), BgNbd(0.8, 6.0, 0.9, 3.0), 50.0, 12.0
    rows, silent = [], []
    for rate, dropout in zip(rng.gamma(true.r, 1 / true.alpha, 20_000), rng.beta(true.a, true.b, 20_000), strict=True):
        repeats, last, at = 0, 0.0, 0.0
        while True:
            at += rng.exponential(1 / rate) if rate > 1e-9 else np.inf
            if at > known:
                silent.append(at > known + horizon)
                break
            repeats, last = repeats + 1, at
            if rng.random() < dropout:
                silent.append(True)
                break
        rows.append((repeats, last, known))
    buying = Buying.of(*zip(*rows, strict=True))
    said, happened = true.none_within(buying, horizon), np.array(silent, dtype=float)
    for part in np.array_split(np.argsort(said, kind="stable"), 5):
        assert happened[part].mean() == pytest.approx(said[part].mean(), abs=4 * np.sqrt(0.25 / len(part)))
    found = fit(buying)
    assert (found.r, found.alpha) == pytest.approx((true.r, true.alpha), rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(true.a / (true.a + true.b), rel=0.1)


COUNTS = st.integers(0, 60)
SPANS = st.floats(0.01, 500)


@settings(max_examples=200)
@given(COUNTS, SPANS, st.floats(0, 1), st.floats(0.1, 300), st.floats(0.1, 300))
def test__probabilities__keep_their_laws(repeats, known, share, horizon, longer):
    """Between 0 and 1; a longer silence is likelier to be broken; who was silent longer is less likely alive."""
    buying = Buying.of([repeats], [share * known if repeats else 0.0], [known])
    alive, silent = PUBLISHED.alive(buying)[0], PUBLISHED.none_within(buying, horizon)[0]
    assert 0 < alive <= 1
    assert 0 < silent <= 1
    assert PUBLISHED.none_within(buying, horizon + longer)[0] <= silent
    waited = Buying.of([repeats], buying.last, [known + longer])
    assert PUBLISHED.alive(waited)[0] <= alive
    assert PUBLISHED.expected_within(buying, horizon)[0] >= 1 - silent - 1e-9


def test__once__is_alive_by_the_models_own_assumption():
    """One drops out after a purchase only, the first one excepted."""
    assert PUBLISHED.alive(Buying.of([0], [0], [39]))[0] == 1


def test__nobody_bought_again__is_refused():
    with pytest.raises(ValueError, match="no account bought a second time"):
        fit(Buying.of([0, 0], [0, 0], [10, 20]))


@pytest.mark.parametrize("wrong", [([-1], [0], [1]), ([1], [5], [4]), ([1, 2], [1], [3])])
def test__numbers_that_cannot_be__are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Buying.of(*wrong)
