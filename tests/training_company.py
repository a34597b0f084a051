"""A small company whose accounts really do come and go, so that there is something to learn."""

from datetime import UTC, datetime, timedelta

import numpy as np

FIRST_DAY = datetime(2022, 1, 1, tzinfo=UTC)


def company(accounts=500, days=720, seed=0):
    """{account: {stream: rows}}: each orders at its own pace until it silently stops; the busier ones stay longer."""
    rng = np.random.default_rng(seed)
    return {f"account {number:03}": {"purchases": orders(rng, days)} for number in range(accounts)}


def orders(rng, days):
    gap, stays = 4.0 * 20.0 ** rng.random(), rng.exponential(400)
    moments, day = [], rng.uniform(0, days / 2)
    stops = day + stays
    while day < min(stops, days):
        moments.append(FIRST_DAY + timedelta(seconds=int(day * 86_400)))
        day += rng.exponential(gap)
    return [purchase(moment, moment + entered_after(rng), amount=float(rng.gamma(2, 50))) for moment in moments]


def entered_after(rng):
    """One order in ten is entered six weeks late."""
    return timedelta(days=45 if rng.random() < 0.1 else 0)


def purchase(occurred_at, known_at=None, kind="order", amount=10.0):
    return {"occurred_at": occurred_at, "known_at": known_at or occurred_at, "kind": kind, "amount": amount}
