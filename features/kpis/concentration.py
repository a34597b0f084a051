"""How much of the revenue hangs on how few accounts: the concentration report (the 80/20 of a company, measured)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.definitions import Feature, events
from features.engine.table import build_feature_table
from features.history.store import History

TOP_PERCENT = (1, 5, 10, 20, 50)
MOST = 0.8
"""The share of revenue for which the fewest accounts are counted."""
LARGEST = 20


@dataclass(frozen=True)
class TopShare:
    """The revenue of the largest `percent` of the accounts; at least one account, fractions rounded up."""

    percent: int
    accounts: int
    revenue: float
    share: float


@dataclass(frozen=True)
class Largest:
    """One of the largest accounts; `name` is None where none is known, `cumulative` includes all that are larger."""

    account_id: str
    name: str | None
    revenue: float
    share: float
    cumulative: float


@dataclass(frozen=True)
class Concentration:
    """Net revenue by account in (as_of − days, as_of], over every account known at as_of.

    Returns and cancellations are taken off. Accounts without a purchase count as accounts that bring nothing; those
    that returned more than they bought count with what they cost. Shares are NaN where the total is not above 0.
    """

    as_of: datetime
    days: int
    accounts: int
    without_purchases: int
    """How many of the accounts neither bought nor returned anything in the time."""
    revenue: float
    top: tuple[TopShare, ...]
    bring_most: int
    """The fewest accounts that bring 80 % of the revenue."""
    bring_most_share: float
    """Their share of the accounts."""
    gini: float
    """0: all bring the same; near 1: one brings everything. Gini 1912, from the mean difference."""
    lorenz: tuple[tuple[float, float], ...]
    """Points (share of accounts, share of revenue), smallest accounts first, from (0, 0) to (1, 1) in steps of 1 %."""
    largest: tuple[Largest, ...]

    def to_json(self) -> dict[str, Any]:
        """The same facts for machines."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}


def concentration(history: History, as_of: datetime, days: int = 365, *, largest: int = LARGEST) -> Concentration:
    """How much of the revenue of the last `days` each account brings, as was known by as_of; the `largest` are named.

    ValueError if no account is known at as_of.
    """
    pinned = history.at(history.versions())
    lines = events("purchases")
    net = Feature("net", lines.sum("amount", days=days), "net value of purchases", "currency", "0: none")
    count = Feature("lines", lines.count(days=days), "order and return lines", "lines", "0: none")
    table = build_feature_table(pinned, as_of, [net, count])
    if table.empty:
        raise ValueError(f"no account is known as of {as_of.isoformat()}; ingest the sources, or take a later moment")
    # Equal revenue stands in the order of the ids, as the table does.
    table = table.sort_values("net", ascending=False, kind="stable")
    revenue = table["net"].to_numpy()
    bring_most = fewest_for(revenue, MOST)
    ids = [str(account) for account in table.index.get_level_values("account_id")[:largest]]
    return Concentration(
        as_of=as_of,
        days=days,
        accounts=len(revenue),
        without_purchases=int((table["lines"] == 0).sum()),
        revenue=float(revenue.sum()),
        top=tuple(top_share(revenue, percent) for percent in TOP_PERCENT),
        bring_most=bring_most,
        bring_most_share=bring_most / len(revenue),
        gini=gini(revenue),
        lorenz=lorenz(revenue),
        largest=_largest(revenue, ids, names(pinned, ids, as_of)),
    )


def top_share(revenue: Array, percent: int) -> TopShare:
    """The revenue of the first `percent` of descending revenues."""
    accounts = -(-len(revenue) * percent // 100)
    brought = float(revenue[:accounts].sum())
    return TopShare(percent, accounts, brought, _share(brought, revenue))


def fewest_for(revenue: Array, share: float) -> int:
    """How many of descending revenues it takes to bring a share of the whole; 0 where there is nothing to bring."""
    total = revenue.sum()
    return int(np.argmax(np.cumsum(revenue) >= share * total)) + 1 if total > 0 else 0


def gini(revenue: Array) -> float:
    """Gini's index of descending revenues: 2·Σ rank·revenue / (n·Σ revenue) − (n + 1)/n, smallest first; NaN without revenue.

    Where some are negative it can exceed 1.
    """
    total, count = float(revenue.sum()), len(revenue)
    if not total > 0:
        return float("nan")
    ranks = np.arange(count, 0, -1)
    return float(2 * (ranks * revenue).sum() / (count * total) - (count + 1) / count)


def lorenz(revenue: Array) -> tuple[tuple[float, float], ...]:
    """The Lorenz curve of descending revenues at every percent of the accounts, smallest first; empty without revenue."""
    total = revenue.sum()
    if not total > 0:
        return ()
    brought = np.concatenate([[0.0], np.cumsum(revenue[::-1]) / total])
    shares = np.linspace(0.0, 1.0, 101)
    curve = np.interp(shares, np.linspace(0.0, 1.0, len(brought)), brought)
    return tuple(zip(shares.tolist(), curve.tolist(), strict=True))


def names(history: History, accounts: Sequence[str], as_of: datetime) -> dict[str, str]:
    """The names of these accounts, as was known by as_of; accounts without a name are left out."""
    called: dict[str, str] = {}
    for bucket, ids in groupby(sorted(accounts, key=history.bucket_of), key=history.bucket_of):
        rows = history.read("accounts", bucket, ["account_id", "known_at", "occurred_at", "name"])
        wanted = pc.and_(
            pc.is_in(rows["account_id"].cast(pa.string()), pa.array(list(ids), pa.string())), pc.is_valid(rows["name"])
        )
        known = pc.and_(pc.less_equal(rows["known_at"], as_of), pc.less_equal(rows["occurred_at"], as_of))
        newest_last = rows.filter(pc.and_(wanted, known)).sort_by(
            [("occurred_at", "ascending"), ("known_at", "ascending")]
        )
        called |= dict(zip(newest_last["account_id"].to_pylist(), newest_last["name"].to_pylist(), strict=True))
    return called


def _largest(revenue: Array, ids: Sequence[str], called: dict[str, str]) -> tuple[Largest, ...]:
    cumulative = np.cumsum(revenue)
    return tuple(
        Largest(account, called.get(account), float(brought), _share(brought, revenue), _share(so_far, revenue))
        for account, brought, so_far in zip(ids, revenue, cumulative, strict=False)
    )


def _share(brought: float, revenue: Array) -> float:
    total = float(revenue.sum())
    return float(brought) / total if total > 0 else float("nan")
