"""What all accounts of an industry share: seasons and shocks."""

import math
from datetime import date

import numpy as np

from features.arrays import Array
from foresail.simulation.world.dynamics import DAY
from foresail.simulation.world.randomness import keys, uniforms
from foresail.simulation.world.settings import INDUSTRIES, Settings

_COMES, _SIZE, _PEAK = range(3)
_FUTURES = 1 << 32
"""Futures draw their shocks apart from the past, each its own."""


def past(settings: Settings) -> Array:
    """DAY (industries, days): the recorded days, from the first to the end."""
    days = settings.company.days
    return _days(settings, 0, days, _shocks(settings, np.zeros(len(INDUSTRIES)), days, 0, 0))


def projected_days(settings: Settings, at: int, days: int, count: int) -> Array:
    """DAY (futures, industries, days): how it may go on from the day `at`.

    Shocks that have come die away in all of them; which others come is each future's own.
    """
    before = past(settings)["shock"][:, at - 1] if at > 0 else np.zeros(len(INDUSTRIES))
    return np.stack(
        [_days(settings, at, days, _shocks(settings, before, days, at, number)) for number in range(1, count + 1)]
    )


def _days(settings: Settings, at: int, days: int, shock: Array) -> Array:
    made = np.empty(shock.shape, dtype=DAY)
    made["season"], made["shock"] = _season(settings, at, days), shock
    return made


def _shocks(settings: Settings, before: Array, days: int, at: int, projection: int) -> Array:
    """(industries, days): each shock dies away by half every `shock_memory` weeks."""
    world = settings.world
    key = keys(settings.company.seed, _FUTURES * (projection + 1) + np.arange(len(INDUSTRIES)))
    fade = 0.5 ** (1.0 / (7.0 * world.shock_memory))
    level, levels = before.astype(np.float64), np.empty((len(INDUSTRIES), days))
    for day in range(days):
        comes = uniforms(key, at + day, _COMES) < world.shocks_per_year / 365.0
        level = level * fade + comes * world.shock_size * (0.5 + uniforms(key, at + day, _SIZE))
        levels[:, day] = level
    return levels


def _season(settings: Settings, at: int, days: int) -> Array:
    """(industries, days): a yearly swing that has its peak in a month of the industry's own."""
    peak = uniforms(keys(settings.company.seed, _FUTURES + np.arange(len(INDUSTRIES))), 0, _PEAK)
    first = (settings.company.start - date(settings.company.start.year, 1, 1)).days
    year = (first + at + np.arange(days)) / 365.25
    swing: Array = settings.world.season * np.cos(2.0 * math.pi * (year[None, :] - peak[:, None]))
    return swing
