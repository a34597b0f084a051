"""Rounds of deciding and learning: evidence gives way to nothing but time."""

import numpy as np
import pandas as pd
import pytest
from simulated import settings, truth_of

from foresail.simulation import months as rounds
from foresail.simulation.company import simulate
from foresail.simulation.months import CLOSES_AFTER, REST, World, coverage, run
from serving.interventions.declare.settings import EffectPrior, Playbook

NAMES = ("good", "useless", "harmful")
SHARES = np.array([0.5, 0.0, -0.5])
"""Of what is at stake, the same for every account."""


def made_up(accounts=3_000, months=8, seed=0):
    """A world whose truth can be read off: three playbooks for everybody, priors that think alike of all three."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(2, 3, (months, accounts))
    value = np.exp(rng.normal(7, 0.7, (months, accounts)))
    known = [pd.DataFrame({"chance": one, "value": worth}) for one, worth in zip(chance, value, strict=True)]
    change = -chance[:, :, None] * SHARES
    return World([f"account {n}" for n in range(accounts)], NAMES, np.full(3, 20.0), chance, change, value, known)


def declared(control=0.2, prior=0.2):
    return {
        name: Playbook(
            when="true", **{"for": "churn"}, role="r", cost=20.0, control=control,
            effect=EffectPrior(prior=prior, strength=100.0),
        )
        for name in NAMES
    }  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return run(made_up(), declared(), np.full(3, 150), tell_apart=False)


def test__rounds__until_a_horizon_has_closed__go_by_what_is_assumed(found):
    for one in found[:CLOSES_AFTER]:
        assert {known.learner for known in one.playbooks.values()} == {"assumed"}
    assert {known.learner for known in found[CLOSES_AFTER].playbooks.values()} == {"constant"}


def test__rounds__harmful_playbook__is_found_and_stopped_and_no_other(found):
    last = found[-1].playbooks
    assert last["harmful"].is_stopped
    assert last["harmful"].found.verdict == "harms"
    assert not last["good"].is_stopped
    assert last["good"].found.verdict == "works"


def test__rounds__regret_falls(found):
    """From assuming that all do the same to knowing which does something."""
    assert found[0].share < 0.5
    assert found[-1].share > 0.85
    assert all(one.captured <= one.possible <= one.without_control for one in found)


def test__rounds__capacity_is_what_is_treated__control_takes_none(found):
    """A fifth of those chosen is control; whoever was chosen is left alone for two months."""
    assert found[0].treated == 3 * 150
    assert 0.14 < found[0].control / (found[0].control + found[0].treated) < 0.27
    assert REST == 2


def test__rounds__same_seed__same_rounds(found):
    again = run(made_up(), declared(), np.full(3, 150), tell_apart=False)
    assert [one.captured for one in again] == [one.captured for one in found]


def test__coverage__is_what_it_says():
    held = coverage(made_up(800, 1), declared(), 60)
    assert 0.9 <= held["once"] <= 1
    assert 0.9 <= held["money"] <= 1
    assert held["once"] < held["always"]


def test__world__is_the_truth_of_the_simulation():
    """Changes and chances of a moment are those of its truth's table; who is not active cannot be acted on."""
    wanted = settings(120, seed=3)
    true, told = rounds.world(wanted), truth_of(wanted, simulate(wanted))
    active = told.targets.loc[told.targets["active"], "account_id"]
    effects = told.effects[told.effects["account_id"].isin(active)]
    places = [true.accounts.index(one) for one in effects["account_id"]]
    columns = [true.playbooks.index(one) for one in effects["playbook"]]
    assert len(effects) == (~np.isnan(true.change)).sum() > 50
    assert np.array_equal(true.change[0, places, columns], effects["churn_change"])
    assert np.array_equal(true.chance[0, places], effects["churn_without"])


def test__crowded__each_account_several_times__with_ids_of_their_own():
    true = made_up(50, 2)
    four = rounds.crowded(true, 4)
    assert len(set(four.accounts)) == 200
    for month in range(2):
        assert np.array_equal(four.change[month, 4:8], np.repeat(true.change[month, 1:2], 4, axis=0))
        assert np.array_equal(four.known[month]["value"], four.value[month])
