"""Randomised arms: sticky, uniform, and independent between playbooks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.interventions.decide.experiments import CONTROL, HOLDOUT, TREATMENT, arms, random_numbers

IDS = [f"A{number}" for number in range(20_000)]


def test__lot__of_known_accounts__is_the_known_one():
    """A release that changed it would move accounts between treatment and control."""
    assert random_numbers(["A1", "Müller & Söhne"], "win_back").tolist() == [0.7630891295474247, 0.86780502092956]


@given(st.lists(st.text(), min_size=1, unique=True), st.randoms())
def test__lot__does_not_depend_on_who_else_is_there(ids, draw):
    shuffled = draw.sample(ids, len(ids))
    assert dict(zip(ids, random_numbers(ids, "p"), strict=True)) == dict(
        zip(shuffled, random_numbers(shuffled, "p"), strict=True)
    )


def test__lots__are_evenly_spread():
    counts = np.histogram(random_numbers(IDS, "win_back"), bins=20, range=(0, 1))[0]
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 43.8, "chi-squared, 19 degrees of freedom, once in a thousand"


def test__lots__of_two_playbooks__are_independent():
    assert abs(np.corrcoef(random_numbers(IDS, "win_back"), random_numbers(IDS, "qbr"))[0, 1]) < 0.025


def test__arms__have_the_shares_asked_for_and_the_holdout_is_one_for_all_playbooks():
    first, second = arms(IDS, "win_back", 0.2, 0.05), arms(IDS, "qbr", 0.5, 0.05)
    assert abs((first == HOLDOUT).mean() - 0.05) < 0.006
    assert ((first == HOLDOUT) == (second == HOLDOUT)).all()
    assert abs((first == CONTROL).mean() / (first != HOLDOUT).mean() - 0.2) < 0.012
    assert set(first) == {TREATMENT, CONTROL, HOLDOUT}


def test__a_larger_control__keeps_those_who_are_control_already():
    small, large = arms(IDS, "win_back", 0.1, 0.0), arms(IDS, "win_back", 0.2, 0.0)
    assert set(np.flatnonzero(small == CONTROL)) < set(np.flatnonzero(large == CONTROL))
