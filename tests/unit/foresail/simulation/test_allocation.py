"""The best allocation is the best: no other one is worth more."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foresail.simulation.truth.allocation import best

VALUES = st.one_of(st.just(np.nan), st.integers(-5, 20).map(float))


def worth(net, choice):
    return sum(net[account, playbook] for account, playbook in enumerate(choice) if playbook >= 0)


def by_trying_all(net, capacity):
    """Every way to give each account one playbook or none."""
    most = 0.0
    for choice in product(range(-1, net.shape[1]), repeat=len(net)):
        counts = np.bincount([one for one in choice if one >= 0], minlength=net.shape[1])
        if (counts <= capacity).all() and not np.isnan(worth(net, choice)):
            most = max(most, worth(net, choice))
    return most


@given(arrays(np.float64, (5, 3), elements=VALUES), arrays(np.int64, 3, elements=st.integers(0, 3)))
def test__best__is_worth_as_much_as_the_best_of_all(net, capacity):
    """Five accounts, three playbooks, every capacity: the answer of trying all 1,024."""
    found = best(net, capacity)
    assert found.net == by_trying_all(net, capacity)
    assert worth(net, found.playbook) == found.net
    assert (np.bincount(found.playbook[found.playbook >= 0], minlength=3) <= capacity).all()


def test__best__many_accounts__uses_what_pays_and_no_more():
    """Where nothing competes the best accounts of each playbook are taken."""
    rng = np.random.default_rng(0)
    net = np.full((5000, 2), np.nan)
    net[:2500, 0], net[2500:, 1] = rng.normal(size=2500), rng.normal(size=2500)
    found = best(net, np.array([100, 4000]))
    assert set(np.flatnonzero(found.playbook == 0)) == set(np.argsort(-np.nan_to_num(net[:, 0], nan=-9))[:100])
    assert set(np.flatnonzero(found.playbook == 1)) == set(np.flatnonzero(net[:, 1] > 0))


def test__best__nothing_pays__nobody_is_acted_on():
    found = best(np.array([[-1.0, np.nan], [0.0, -2.0]]), np.array([2, 2]))
    assert found.playbook.tolist() == [-1, -1]
    assert found.net == 0
