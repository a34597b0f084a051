"""How far an account could grow: 0 to 1, and independent of what it brings today by the way it is made.

1. Each signal that is on record of an account becomes its rank among all accounts of which it is on record, 0 to 1.
2. The mean of the ranks that are there, and of one that is average, is the account's outlook. What is absent is left
   out: it is no bad sign. The average one keeps an account of which little is on record from the extremes.
3. Accounts are put into groups of like revenue of the last 365 days; the potential is the rank of the outlook among
   its peers. So each group holds the whole range of potentials, and a large account has no more of it than a small one.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from features.arrays import Flags, Floats
from features.families.eligibility import Columns
from features.families.segmentation import ENGAGEMENT
from serving.scoring.columns import column
from serving.scoring.value_at_stake import NET
from serving.segmentation.inputs import Rows, ScoreRows, mean_of
from serving.segmentation.settings import SegmentationSettings

SIGNALS: Mapping[str, tuple[str, float, str]] = {
    "industry_growth": ("account_industry_growth_last", 1.0, "growth of its own industry"),
    "room": ("account_market_share_last", -1.0, "what it still buys elsewhere: 1 − our share"),
    "size": ("account_size_last", 1.0, "its size in people"),
    "influence": ("account_influence_last", 1.0, "how much its industry looks to it"),
    "strategic_fit": ("account_strategic_fit_last", 1.0, "how well it fits our strategy"),
    "engagement": (ENGAGEMENT.name, 1.0, "contacts and uses of the last 180 days against the 180 before"),
    "categories": ("purchases_categories_distinct_365d", -1.0, "categories it has not bought from in 365 days"),
}
"""Signal → the feature it ranks, the sign that makes more of it better, and what it is."""
GROWTH: Mapping[str, tuple[str, str]] = {
    "upsell": ("upsell", "percentile of its upsell scores"),
    "cross_sell": ("cross_sell", "percentile of its cross-sell scores"),
}
"""Signal → the kind of target whose percentile it is, and what it is."""
PEERS, MOST_GROUPS = 10, 50
"""At least so many accounts in a group of like revenue, and at most so many groups."""


def potential_of(table: Columns, scores: ScoreRows, settings: SegmentationSettings) -> Floats:
    """The potential of each account, (rows,), 0 to 1; NaN where no signal at all is on record."""
    signals = [_of_feature(table, name, sign) for name, sign, _ in SIGNALS.values()]
    signals += [_of_scores(scores, settings.of_kinds(kind)) for kind, _ in GROWTH.values()]
    ranks = [_ranks(signal) for signal in signals]
    known = ~np.isnan(ranks).all(axis=0)
    outlook = np.where(known, mean_of([*ranks, np.full(scores.accounts, 0.5)], scores.accounts), np.nan)
    return _ranks_within(outlook, _peers(column(table, NET)))


def _of_feature(table: Columns, name: str, sign: float) -> Floats:
    values = sign * column(table, name)
    # Who bought nothing has no breadth to be judged by; nor has anybody where categories are not recorded.
    return np.where(values == 0, np.nan, values) if name == "purchases_categories_distinct_365d" else values


def _of_scores(scores: ScoreRows, targets: Sequence[str]) -> Floats:
    return mean_of([scores.of_target(target, "percentile") for target in targets], scores.accounts)


def _ranks(values: Floats) -> Floats:
    """Mid-ranks of 0 to 1, equal values alike; NaN stays NaN."""
    return _ranks_within(values, np.zeros(len(values)))


def _ranks_within(values: Floats, groups: Floats) -> Floats:
    """Mid-ranks within each group: (smaller ones + half of those equal, itself among them) / all of the group."""
    there = np.flatnonzero(~np.isnan(values))
    order = there[np.lexsort((values[there], groups[there]))] if groups.any() else there[np.argsort(values[there])]
    group, value = groups[order], values[order]
    group_starts, group_ends = _runs(np.diff(group, prepend=-1) != 0)
    starts, ends = _runs((np.diff(group, prepend=-1) != 0) | (np.diff(value, prepend=np.nan) != 0))
    ranks = np.full(len(values), np.nan)
    ranks[order] = ((starts + ends) / 2 - group_starts) / (group_ends - group_starts)
    return ranks


def _runs(begins: Flags) -> tuple[Rows, Rows]:
    """Of each place, where the run that it is in starts, and where the next one does."""
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    return starts[run], np.append(starts[1:], len(begins))[run]


def _peers(revenue: Floats) -> Floats:
    """The number of each account's group of like revenue; equal revenue is never parted."""
    groups = int(np.clip(len(revenue) // PEERS, 1, MOST_GROUPS))
    return np.minimum(np.floor(_ranks(revenue) * groups), groups - 1)
