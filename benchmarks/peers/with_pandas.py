"""pandas: a groupby per date and window."""

from datetime import timedelta

import pandas as pd
from task import answer
from training_shape import Question

AMOUNTS = ("count", "sum", "mean", "std", "min", "max", "first", "last")


def per_window(question: Question) -> pd.DataFrame:
    """Rows are sorted by account and time, so that first and last are those of the group."""
    columns = ["account_id", "occurred_at", "amount", "quantity", "category"]
    known = pd.read_parquet(question.events, columns=columns).assign(product=lambda rows: rows.amount * rows.quantity)
    known["account_id"], known["category"] = known.account_id.astype("category"), known.category.astype("category")
    return pd.concat([_one_date(known, question, date) for date in question.moments])


def _one_date(known: pd.DataFrame, question: Question, date) -> pd.DataFrame:
    seen = known[known.occurred_at <= date]
    windows = [
        _one_window(seen[seen.occurred_at > date - timedelta(days=days)], question, days) for days in question.windows
    ]
    rows = pd.concat(windows, axis=1).reindex(seen.account_id.unique())
    return rows.assign(as_of=date).rename_axis("account_id")


def _one_window(rows: pd.DataFrame, question: Question, days: int) -> pd.DataFrame:
    grouped = rows.groupby("account_id", observed=True, sort=False)
    stats = grouped.amount.agg([stat for stat in AMOUNTS if stat in question.stats])
    others = {
        "product": grouped["product"].sum, "quantity_sum": grouped.quantity.sum, "quantity_max": grouped.quantity.max,
        "categories": lambda: _different(rows),
    }  # fmt: skip
    stats = stats.assign(**{name: compute() for name, compute in others.items() if name in question.stats})
    return stats[list(question.stats)].add_suffix(f"_{days}")


def _different(rows: pd.DataFrame) -> pd.Series:
    """How many categories each account has: several times as fast as nunique."""
    return rows[["account_id", "category"]].drop_duplicates().groupby("account_id", observed=True, sort=False).size()


def save(rows: pd.DataFrame, _: Question, path: str) -> None:
    rows.reset_index().assign(account_id=lambda rows: rows.account_id.astype(str)).to_parquet(path, index=False)


if __name__ == "__main__":
    answer({"a groupby per window": per_window}, save, lambda rows: rows.memory_usage().sum() / 2**20)
