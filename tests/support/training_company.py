"""A small company whose accounts really do come and go, so that there is something to learn."""

from datetime import UTC, datetime, timedelta

import numpy as np

from features.catalog import fingerprint, named
from features.history.store import History
from registry.card import ModelCard
from registry.model_code import model_code
from registry.writer import Logged, log_and_register, open_store
from training.data.targets import ChurnTarget

FIRST_DAY = datetime(2022, 1, 1, tzinfo=UTC)


def company(accounts=500, days=720, seed=0, fades=False):
    """{account: {stream: rows}}: each orders at its own pace until it silently stops; the busier ones stay longer.

    Where it `fades`, an account orders for a tenth of the money before it stops, which no rhythm tells.
    """
    rng = np.random.default_rng(seed)
    return {f"account {number:03}": {"purchases": orders(rng, days, fades)} for number in range(accounts)}


def orders(rng, days, fades=False):
    gap, stays = 4.0 * 20.0 ** rng.random(), rng.exponential(400)
    moments, day = [], rng.uniform(0, days / 2)
    stops = day + stays
    while day < min(stops, days):
        moments.append(FIRST_DAY + timedelta(seconds=int(day * 86_400)))
        day += rng.exponential(gap)
    last = FIRST_DAY + timedelta(days=stops - 90) if fades else FIRST_DAY + timedelta(days=10 * days)
    return [
        purchase(moment, moment + entered_after(rng), amount=float(rng.gamma(2, 50)) * (0.1 if moment > last else 1.0))
        for moment in moments
    ]


def entered_after(rng):
    """One order in ten is entered six weeks late."""
    return timedelta(days=45 if rng.random() < 0.1 else 0)


def purchase(occurred_at, known_at=None, kind="order", amount=10.0):
    return {"occurred_at": occurred_at, "known_at": known_at or occurred_at, "kind": kind, "amount": amount}


def small_model(feature="purchases_gone"):
    """What a training of one linear term would register; the catalog need not have its feature."""
    what = {
        "format": 1,
        "rung": "recency",
        "features": [feature],
        "linear": {
            "intercept": 0.0,
            "terms": [{"feature": feature, "centre": 0.0, "scale": 1.0, "weight": 1.0, "missing": 0.0}],
        },
        "calibration": {"method": "none", "parameters": {}},
        "fingerprint": "of another release",
    }
    target = ChurnTarget("churn", 60, 180).to_json()
    more = {"trained_as_of": "2023-09-01T00:00:00+00:00", "target": target, "reference": {"scores": [0.5]}}
    return Logged("small-churn", ModelCard.from_json({**what, **more, "baseline": what}), None, {}, {})


def register_together(uri, barrier, aliases):
    """For a process of its own: open a store and register at the very moment when the others do."""
    model_code()  # importing MLflow takes longer than what is to coincide
    barrier.wait(180)
    open_store(uri)
    aliases.put(log_and_register(small_model(), uri).alias)


def rule_model(weight=0.02, intercept=-1.0, trained_as_of=datetime(2023, 3, 1, tzinfo=UTC), horizon_days=60):
    """A model one can reckon by hand: log-odds rise by `weight` a unit of signed log1p of the days since the last order."""
    feature = "purchases_days_since_last"
    what = {
        "format": 1,
        "rung": "recency",
        "features": [feature],
        "linear": {
            "intercept": intercept,
            "terms": [{"feature": feature, "centre": 0.0, "scale": 1.0, "weight": weight, "missing": 0.0}],
        },
        "calibration": {"method": "none", "parameters": {}, "reason": ""},
        "fingerprint": fingerprint(named([feature])),
    }
    target = ChurnTarget("churn", horizon_days, 180).to_json()
    reference = {"scores": np.linspace(0.0, 1.0, 101).tolist()}
    more = {"project": "acme", "trained_as_of": trained_as_of.isoformat(), "target": target, "reference": reference}
    return Logged("acme-churn", ModelCard.from_json({**what, **more, "baseline": what}), None, {}, {})


def promote_together(root, uri, version, barrier, answers):
    """For a process of its own: judge a version, and settle at the very moment when the others do."""
    from training.promotion import promotion

    settle = promotion.settle

    def when_all_have_judged(*given):
        barrier.wait(180)
        return settle(*given)

    promotion.settle = when_all_have_judged
    order = promotion.Order(datetime(2023, 9, 1, version, tzinfo=UTC), by=f"process {version}")
    decision = promotion.promote(
        History(root, buckets=4),
        version,
        order,
        name="acme-churn",
        tracking_uri=uri,
        as_of=datetime(2023, 9, 1, tzinfo=UTC),
    )
    answers.put((version, decision.kind, decision.why))
