"""Small simulated companies for tests: settings that are quick, and their histories without any file."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd

from foresail.simulation.company import simulate
from foresail.simulation.exports import exports
from foresail.simulation.truth import truth
from foresail.simulation.world.settings import Settings

QUICK = {"futures": 40, "futures_of_actions": 4, "days_before_end": [90]}


def merged(first, second):
    """Nested tables put together, the second's values winning."""
    both = dict(first)
    for key, value in second.items():
        both[key] = merged(both.get(key, {}), value) if isinstance(value, dict) else value
    return both


def settings(size=300, seed=0, **changes):
    """The usual company, of a small size, with a cheap truth, and some settings changed."""
    return Settings.of(merged({"company": {"accounts": size, "seed": seed}, "truth": QUICK}, changes))


@cache
def _usual(size, seed):
    return simulate(settings(size, seed))


def usual(size=300, seed=0):
    """The histories of the usual company; computed once."""
    return _usual(size, seed)


def exported(wanted, histories):
    """{export: a DataFrame of its rows before they are reported, with when each happened}."""
    frames = {}
    for one in exports.exports(wanted, histories):
        columns = {name: pd.Series(_plain(column)) for name, column in one.columns.items()}
        frames[one.name] = pd.DataFrame(columns).assign(happened=one.happened)
    return frames


def _plain(column):
    return column.to_pylist()


def truth_of(wanted, histories):
    """The truth's tables as DataFrames: targets, states, effects."""
    told = truth.tables(wanted, histories, truth.courses_of(wanted))
    return SimpleNamespace(**{name: getattr(told, name).to_pandas() for name in ("targets", "states", "effects")})


def numbers_of(account_ids):
    """The accounts' numbers, of their ids."""
    return np.array([int(one[1:]) for one in account_ids])
