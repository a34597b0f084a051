"""A database as two nights leave it, for the accounts of `serving_company`; the numbers are made up."""

from datetime import timedelta
from random import Random

import sqlalchemy as sa
from serving_company import ACCOUNTS, AS_OF

from serving.database.engine import writing
from serving.database.tables import account_segments, interventions, score_history, scores, tier_moves

BEFORE = AS_OF - timedelta(days=1)
REASON = '[{"feature": "f", "value": 1.0, "direction": "raises", "size": 0.5, "words": "no order for 61 days"}]'


def fill(engine):
    """Standings, scores, their history, moves and an intervention of every account; every fifth has no value at stake."""
    rows = [_of_account(number, account) for number, account in enumerate(ACCOUNTS)]
    with writing(engine) as connection:
        for table in (account_segments, scores, score_history, tier_moves, interventions):
            connection.execute(sa.insert(table), [row for own in rows for row in own[table]])


def _of_account(number, account):
    draw = Random(number)
    at_stake = None if number % 5 == 0 else round(draw.uniform(0, 1000), 2)
    segmentation = {
        "account_id": account, "as_of": AS_OF, "name": f"Company {number}", "owner": draw.choice(["Ada", "Ben"]),
        "region": draw.choice(["north", "Süd"]), "industry": None, "value": draw.uniform(0, 1e5), "potential": 0.5,
        "quadrant": "routine", "tier": draw.choice(["growth", "potential"]), "segment": "at_risk", "health": draw.uniform(0, 100),
        "satisfaction": None, "contribution": 50.0, "exposure": 10.0, "risk": 0.9, "band": draw.choice(["low", "high"]),
        "value_at_stake": at_stake, "severity": draw.choice(["low", "critical"]),
    }  # fmt: skip
    score = {column.name: None for column in scores.columns} | {
        "account_id": account, "target": "churn", "as_of": AS_OF, "horizon_days": 90, "probability": 0.4, "previous": 0.3,
        "previous_as_of": BEFORE, "percentile": 0.9, "band": "high", "value_at_stake": at_stake, "severity": "high",
        "model": "wholesaler-churn", "model_version": "1", "reasons": REASON, "data_as_of": AS_OF,
    }  # fmt: skip
    past = {"account_id": account, "target": "churn", "percentile": 0.9, "band": "high", "model_version": "1"}
    moved = {"account_id": account, "scheme": "tier", "as_of": AS_OF, "before": None, "after": "growth", "why": "new"}
    todo = {
        "intervention_id": f"i{number}", "account_id": account, "playbook": "win_back", "status": "assigned", "owner": "Ada",
        "origin": "decision", "role": "success_manager", "severity": "high", "cost": 120.0, "changed_at": AS_OF,
        "reason": "no order", "decided_at": AS_OF, "due_at": AS_OF + timedelta(days=2),
    }  # fmt: skip
    return {
        account_segments: [segmentation],
        scores: [score],
        score_history: [past | {"as_of": BEFORE, "answer": 0.3}, past | {"as_of": AS_OF, "answer": 0.4}],
        tier_moves: [moved],
        interventions: [todo],
    }
