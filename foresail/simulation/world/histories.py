"""The recorded past of a block of accounts: the book of all that happened, and how the state of each at given moments."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled_without_memory
from foresail.simulation.world.accounts import Accounts
from foresail.simulation.world.coefficients import drivers, playbook_table
from foresail.simulation.world.dynamics import EVENT, STATE, live, refresh
from foresail.simulation.world.settings import Settings

LINES_PER_DAY = 0.8
"""Room in the book for so many lines a day and account, before it is made longer."""


@dataclass(frozen=True)
class Histories:
    """What happened to some accounts up to the end."""

    accounts: Accounts
    events: Array
    """EVENT: by account, and by day within an account."""
    states: Array
    """STATE (moments, accounts): at the beginning of each day that was asked for."""
    end: Array
    """STATE: at the end."""


def simulate_histories(settings: Settings, accounts: Accounts, days: Array, moments: tuple[int, ...]) -> Histories:
    """The histories of accounts over the recorded `days` (`world.past`). Each moment is a day, counted from the first."""
    both, changes = drivers(settings)
    playbooks = playbook_table(settings)
    room = int(len(accounts) * settings.company.days * LINES_PER_DAY) + 1000
    states = np.zeros((len(moments), len(accounts)), dtype=STATE)
    while True:
        end, book = accounts.states.copy(), np.empty(room, dtype=EVENT)
        written = _live_all(
            accounts.keys, accounts.made, end, days, both, changes, playbooks, np.array(moments, dtype=np.int64), states, book, np.zeros(2, dtype=np.int64), np.empty(0),
        )  # fmt: skip
        if written <= room:
            return Histories(accounts, book[:written].copy(), states, end)
        room = int(written)


@compiled_without_memory
def _live_all(
    keys: Array, accounts: Array, states: Array, days: Array, drivers: Array, changes: int, playbooks: Array, moments: Array,
    seen: Array, book: Array, place: Array, curve: Array,
) -> Any:  # fmt: skip
    place[0] = 0
    for number in range(accounts.shape[0]):
        place[1] = number
        account, state, key = accounts[number], states[number], keys[number]
        begins = max(account.first_day, 0)
        if begins < days.shape[1]:
            refresh(account, state, days[account.industry, begins], drivers[1 if begins >= changes else 0])
        day = 0
        for moment in range(moments.shape[0] + 1):
            until = moments[moment] if moment < moments.shape[0] else days.shape[1]
            live(day, until, key, account, state, days, 0, drivers, changes, playbooks, book, place, False, curve)
            day = until
            if moment < moments.shape[0]:
                seen[moment, number] = state
    return place[0]
