"""The gate: each check by numbers that can be reckoned by hand, passed and failed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.promotion.gate import Compared, Gate, examine, gaps, off_beyond_noise, profit, stability_index

N = 4000


def company(seed=0, n=N):
    """Accounts whose chance to churn is known: both models say it, so that nothing is wrong with either."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1, 4, n)
    labels = (rng.random(n) < chance).astype(float)
    today = rng.beta(1, 4, n)
    return Compared(labels, np.arange(n), chance, chance.copy(), rng.gamma(1, 100, n), {}, today, today.copy())


def found(compared, **more):
    return {check.name: check for check in examine(replace(compared, **more))}


def blurred(probability, size, seed=1):
    """The same log-odds with noise added: worse, and still in the right order of magnitude."""
    noise = np.random.default_rng(seed).normal(0, size, len(probability))
    return 1 / (1 + np.exp(-(np.log(probability / (1 - probability)) + noise)))


def test__examine__two_equal_models__all_passed():
    """Nothing differs, so nothing is worse."""
    assert all(check.passed for check in examine(company()))
    assert found(company())["log loss"].figures["difference"] == 0.0


def test__examine__challenger_blurred__fails_on_log_loss_and_profit():
    """It knows less of every account: worse beyond noise in both, and the words hold the figures."""
    one = company()
    checks = found(one, challenger=blurred(one.challenger, 2.0))
    assert not checks["log loss"].passed
    assert not checks["profit"].passed
    assert checks["log loss"].words.endswith("worse beyond noise")
    assert checks["log loss"].figures["low"] > 0


def test__examine__champion_blurred__challenger_is_better():
    """The same two the other way round."""
    one = company()
    checks = found(one, champion=blurred(one.champion, 2.0))
    assert checks["log loss"].passed
    assert checks["log loss"].words.endswith("better")
    assert checks["profit"].figures["low"] > 0


def test__examine__a_hair_worse__within_noise_and_passed():
    """Less than noise is no reason to refuse."""
    one = company(n=400)
    check = found(one, challenger=blurred(one.challenger, 0.05))["log loss"]
    assert check.passed
    assert check.words.endswith("within noise")


def test__examine__one_industry_misjudged__fails_on_calibration_and_names_it():
    """Right on the whole, but the 200 breweries are said to be twice as safe as they are."""
    one = company()
    industry = np.where(np.arange(N) < 200, "brewing", "retail").astype(object)
    challenger = np.where(industry == "brewing", one.challenger / 2, one.challenger)
    check = found(one, challenger=challenger, groups={"industry": industry})["calibration"]
    assert not check.passed
    assert "industry brewing: foreseen" in check.words
    assert "(200 accounts" in check.words


def test__examine__champion_as_far_off__no_reason_to_keep_it():
    """A market has moved: both foresee half of what happened; who is no further off than the other may take over."""
    one = company()
    half = one.challenger / 2
    assert found(one, challenger=half, champion=half)["calibration"].passed
    assert not found(one, challenger=half)["calibration"].passed


def test__examine__small_slice__is_noise():
    """Forty accounts of which all churned against expectation say nothing: fifty are asked for."""
    one = company()
    few = np.where(np.arange(N) < 40, "tiny", None).astype(object)
    names = [gap.name for gap in gaps(replace(one, groups={"region": few}), Gate())]
    assert "region tiny" not in names
    assert names[0] == "all accounts"
    assert len(names) == 1 + 10 + 5


def test__off_beyond_noise__calibrated_models__rarely_called_off():
    """Of 100 well calibrated companies with 16 slices each, five are to be called off at most: the mark is of all slices."""
    worst = [
        one.chance for seed in range(100) for one in [min(gaps(company(seed, 600), Gate()), key=lambda g: g.chance)]
    ]
    assert sum(chance < Gate().slice_error / 16 for chance in worst) <= 5
    assert off_beyond_noise(gaps(company(n=600), Gate()), Gate()) == []


def test__examine__scores_jump_and_nothing_explains_it__fails():
    """On the judged horizon both say the same; today the challenger says three times as much."""
    one = company()
    checks = found(one, challenger_today=np.minimum(3 * one.champion_today, 0.99))
    assert not checks["scores"].passed
    assert "a jump that nothing that happened explains" in checks["scores"].words
    assert [name for name, check in checks.items() if not check.passed] == ["scores"]


def test__examine__scores_jump_because_the_market_moved__passed_with_the_cause():
    """The champion foresees a third of what happens, the challenger what happens: its scores may jump."""
    one = company()
    third = {"champion": one.champion / 3, "champion_today": one.champion_today / 3}
    check = found(one, **third)["scores"]
    assert check.passed
    assert check.figures["stability_index"] > 0.25
    assert "explained" in check.words


def test__examine__nobody_today__too_few_to_tell():
    """The quiet path."""
    nobody = np.empty(0)
    check = found(company(), champion_today=nobody, challenger_today=nobody)["scores"]
    assert check.passed
    assert check.words.startswith("0 accounts today")


def test__stability_index__by_hand():
    """Cut at the median, from halves to a quarter and three quarters: 0.25·ln 0.5⁻¹ + 0.25·ln 1.5 = 0.2747 (n large)."""
    before = np.arange(100_000) / 100_000
    after = np.r_[np.full(25_000, 0.1), np.full(75_000, 0.9)]
    assert stability_index(before, after, [0.5]) == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5), abs=1e-4)
    assert stability_index(before, before[::-1], [0.5, 0.9]) == 0.0


def test__profit__by_hand():
    """Ranked by probability × value: b (40), a (30), d (20), c (9). The team reaches two of four; b stays, a churns."""
    probability, value = np.array([0.3, 0.4, 0.9, 0.1]), np.array([100.0, 100.0, 10.0, 200.0])
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    assert profit(probability, labels, value, 5.0, 0.5) == pytest.approx([(100 - 2 * 5) / 4])
    assert profit(probability, labels, value, 5.0, 0.25) == pytest.approx([-5 / 4])
    assert profit(probability, labels, value, 5.0, 1.0) == pytest.approx([(100 + 10 - 4 * 5) / 4])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.01, 1.0))
def test__profit__weights__are_accounts_drawn_again(seed, n, capacity):
    """A row with weight 3 is three such rows; ties and their order do not matter."""
    rng = np.random.default_rng(seed)
    p, y, value = rng.integers(1, 4, n) / 4, rng.integers(0, 2, n).astype(float), rng.integers(1, 3, n) * 50.0
    weights = rng.integers(0, 4, n)
    weights[0] = 1
    again = np.repeat(np.arange(n), weights)
    rng.shuffle(again)
    one = profit(p, y, value, 2.0, capacity, weights[None, :].astype(float))
    assert one == pytest.approx(profit(p[again], y[again], value[again], 2.0, capacity))
