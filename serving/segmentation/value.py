"""What an account is worth in a year, what of it is at stake, and how severe that is.

Row by row, so that one account alone is answered, bit for bit, as it was among all.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np

from features.arrays import Floats
from features.engine.feature_names import Names
from features.families.eligibility import Columns
from registry.target_kinds import RISKS
from serving.segmentation.inputs import NOWHERE, Codes, column
from serving.segmentation.settings import SEVERITIES, YEAR, Severity, SeverityWord

NET, CONTRACTS = "purchases_net_amount_sum_365d", "contracts_value_sum"
VALUE_FEATURES = Names((NET, CONTRACTS))
"""What the columns given to `predicted_value` must hold."""


def predicted_value(columns: Columns, amount: Floats | None = None, horizon_days: float = YEAR) -> Floats:
    """Value over a year, at least 0, (rows,), in the project's currency.

    The `amount` that a target of kind value foresees for its horizon, scaled to 365 days; where that is absent, the
    larger one of the net purchases of the last 365 days and of what contracts in force are worth in a year.
    """
    lately = np.maximum(np.maximum(column(columns, NET), column(columns, CONTRACTS)), 0.0)
    if amount is None:
        return np.asarray(lately)
    return np.where(np.isnan(amount), lately, np.maximum(amount * (YEAR / horizon_days), 0.0))


def value_at_stake(kind: str, probability: Floats, value: Floats) -> Floats:
    """Probability × predicted value for targets of a risk, NaN for others and where there is no probability."""
    return probability * value if kind in RISKS else np.full(len(value), np.nan)


def severity_cuts(at_stake: Floats, quantiles: Severity) -> dict[str, float]:
    """Where severities begin, by the names of the table `cuts`; empty where nothing is at stake."""
    known = at_stake[~np.isnan(at_stake)]
    if not len(known):
        return {}
    shares = {
        "severity_medium": quantiles.medium,
        "severity_high": quantiles.high,
        "severity_critical": quantiles.critical,
    }
    return {name: float(np.quantile(known, share)) for name, share in shares.items()}


def severity_of(at_stake: Sequence[float], cuts: Mapping[str, float]) -> list[SeverityWord | None]:
    """low, medium, high or critical by value at stake; at a cut the higher one, nothing at stake is low.

    None where value at stake is NaN, and everywhere while no night has drawn cuts.
    """
    if "severity_critical" not in cuts:
        return [None] * len(at_stake)
    edges = _edges(cuts)
    return [None if isnan(one) else SEVERITIES[bisect_right(edges, one) if one > 0 else 0] for one in at_stake]


def severity_codes(at_stake: Floats, cuts: Mapping[str, float]) -> Codes:
    """The same as places in SEVERITIES, for many at once; of few, numpy takes longer to begin than this takes."""
    if "severity_critical" not in cuts:
        return np.full(len(at_stake), NOWHERE, dtype=np.int8)
    levels = np.where(at_stake > 0, np.searchsorted(_edges(cuts), at_stake, side="right"), 0)
    return np.where(np.isnan(at_stake), NOWHERE, levels).astype(np.int8)


def _edges(cuts: Mapping[str, float]) -> list[float]:
    return [cuts["severity_medium"], cuts["severity_high"], cuts["severity_critical"]]
