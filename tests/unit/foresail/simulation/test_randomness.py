"""Chance that is a function: even, independent of what else is drawn, and the same for ever."""

import numpy as np
import pytest

from foresail.simulation.world import randomness

MANY = 200_000


def test__uniforms__are_even_and_independent_of_each_other():
    """Every tenth of [0, 1) holds a tenth; purposes, numbers and keys next to each other do not go together."""
    keys = randomness.keys(3, np.arange(MANY))
    one, other = randomness.uniforms(keys, 5, 1), randomness.uniforms(keys, 5, 2)
    assert np.histogram(one, 10, (0, 1))[0] == pytest.approx(np.full(10, MANY / 10), rel=0.03)
    days = randomness.uniforms(np.repeat(keys[:1], MANY), np.arange(MANY), 1)
    for pair in ((one, other), (one[1:], one[:-1]), (days[1:], days[:-1])):
        assert abs(np.corrcoef(*pair)[0, 1]) < 4 / np.sqrt(MANY)


def test__bell__has_mean_zero_and_spread_one():
    drawn = np.array([randomness.bell(np.uint64(9), day, 1) for day in range(20_000)])
    assert drawn.mean() == pytest.approx(0, abs=4 / np.sqrt(20_000))
    assert drawn.std() == pytest.approx(1, abs=0.03)
    assert np.abs(drawn).max() <= 2 * np.sqrt(3)


def test__draws__are_those_of_this_version():
    """A seed that gave another company after an update would break every figure that anybody has written down."""
    keys = randomness.keys(7, [0, 1])
    assert [hex(int(key)) for key in keys] == KEYS
    assert randomness.uniforms(keys, 11, 3).tolist() == UNIFORMS


KEYS = ["0x6faf98ef1e8efd9d", "0xe3dcb8809f715094"]
UNIFORMS = [0.7797944978713379, 0.8325915005734489]
