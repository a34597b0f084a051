"""Whether probabilities happen as often as they say, apart from what chance does."""

import numpy as np
import pytest

from training.evaluation.reliability import Reliability, ece_by_chance, reliability
from training.metrics.probabilities import measure


def drawn(accounts, seed, times=1.0):
    """Probabilities, and outcomes that happen `times` as often."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 10, accounts)
    return probability, (rng.random(accounts) < times * probability).astype(np.float64)


def test__ece_by_chance__right_probabilities__are_exceeded_by_one_sample_in_twenty():
    """Of 300 samples whose probabilities are exactly right, about 5 % show more (1 % to 10 %)."""
    probability, _ = drawn(500, 0)
    limit, rng = ece_by_chance(probability, seed=1), np.random.default_rng(2)
    shown = [measure(probability, (rng.random(500) < probability).astype(float))["ece"][0] for _ in range(300)]
    assert 0.01 <= np.mean(np.array(shown) > limit) <= 0.10


def test__reliability__right_probabilities__hold():
    """What happens as often as is said, on the whole and from the safest to the riskiest."""
    found = reliability(*drawn(2000, 3), seed=0)
    assert found.level_holds
    assert found.shape_holds
    assert found.ece == pytest.approx(measure(*drawn(2000, 3))["ece"][0])


def test__reliability__half_as_many_churn__level_and_shape_are_off():
    """Foreseen 17 %, happened 8 %: neither noise nor a tenth of the rate explains that."""
    found = reliability(*drawn(2000, 3, times=0.5), seed=0)
    assert not found.level_holds
    assert not found.shape_holds


def test__reliability__the_level_right_and_the_order_reversed__only_the_shape_is_off():
    """The mean can be right where every group is wrong."""
    probability, labels = drawn(2000, 3)
    found = reliability(probability.mean() * 2 - probability.clip(max=2 * probability.mean()), labels, seed=0)
    assert not found.shape_holds


@pytest.mark.parametrize(("foreseen", "holds"), [(0.109, True), (0.111, False)])
def test__reliability__a_million_accounts__a_tenth_of_the_rate_is_let_pass(foreseen, holds):
    """With a tiny interval around 10 %, 10.9 % is near enough to plan with, 11.1 % is not."""
    assert Reliability(foreseen, 0.10, 0.0999, 0.1001, 0.0, 0.0).level_holds is holds
