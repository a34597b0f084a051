"""Polars with its streaming engine, in the forms that its users would try."""

from datetime import timedelta

import polars as pl
from task import answer
from training_shape import Question

VALUE = {"product": "product", "quantity_sum": "quantity", "quantity_max": "quantity", "categories": "category"}
STAT = {
    "count": pl.Expr.len, "sum": pl.Expr.sum, "mean": pl.Expr.mean, "std": pl.Expr.std, "min": pl.Expr.min,
    "max": pl.Expr.max, "first": pl.Expr.first, "last": pl.Expr.last, "product": pl.Expr.sum,
    "quantity_sum": pl.Expr.sum, "quantity_max": pl.Expr.max, "categories": pl.Expr.n_unique,
}  # fmt: skip


def per_date(question: Question) -> pl.DataFrame:
    """A lazy query per date, one after the other."""
    frame = _scan(question)
    return pl.concat([_at(frame, question, date).collect(engine="streaming") for date in question.moments])


def all_dates(question: Question) -> pl.DataFrame:
    """The same queries handed over together, so that what they share is read once."""
    frame = _scan(question)
    return pl.concat([_at(frame, question, date) for date in question.moments]).collect(engine="streaming")


def in_memory(question: Question) -> pl.DataFrame:
    """Everything read first, then a query per date on the in-memory engine, which knows that rows are sorted."""
    frame = _scan(question).collect().lazy()
    return pl.concat([_at(frame, question, date).collect() for date in question.moments])


def per_window(question: Question) -> pl.DataFrame:
    """A query per date and window: the filter comes before the grouping, so that no expression has one."""
    frame = _scan(question).collect().lazy()
    return pl.concat([_by_windows(frame, question, date) for date in question.moments], how="diagonal")


def range_join(question: Question) -> pl.DataFrame:
    """All dates at once: every event joined with the dates that see it."""
    dates = pl.LazyFrame({"as_of": question.moments}, schema={"as_of": pl.Datetime("us", "UTC")})
    joined = _scan(question).join_where(dates, pl.col("occurred_at") <= pl.col("as_of"))
    grouped = joined.group_by("account_id", "as_of", maintain_order=False)
    return grouped.agg(_aggregates(question, pl.col("as_of"))).collect(engine="streaming")


def _scan(question: Question) -> pl.LazyFrame:
    frame = pl.scan_parquet(question.events).with_columns(product=pl.col("amount") * pl.col("quantity"))
    return frame.select("account_id", "occurred_at", "amount", "quantity", "product", "category")


def _at(frame: pl.LazyFrame, question: Question, date) -> pl.LazyFrame:
    as_of = pl.lit(date, dtype=pl.Datetime("us", "UTC"))
    known = frame.filter(pl.col("occurred_at") <= as_of).group_by("account_id")
    return known.agg(_aggregates(question, as_of)).with_columns(as_of=as_of)


def _aggregates(question: Question, as_of: pl.Expr) -> list[pl.Expr]:
    return [
        STAT[stat](
            pl.col(VALUE.get(stat, "amount")).filter(pl.col("occurred_at") > as_of - timedelta(days=days))
        ).alias(f"{stat}_{days}")
        for days in question.windows
        for stat in question.stats
    ]


def _by_windows(frame: pl.LazyFrame, question: Question, date) -> pl.DataFrame:
    as_of = pl.lit(date, dtype=pl.Datetime("us", "UTC"))
    known = frame.filter(pl.col("occurred_at") <= as_of)
    rows = known.select("account_id").unique()
    for days in question.windows:
        stats = [STAT[stat](pl.col(VALUE.get(stat, "amount"))).alias(f"{stat}_{days}") for stat in question.stats]
        window = known.filter(pl.col("occurred_at") > as_of - timedelta(days=days)).group_by("account_id").agg(stats)
        rows = rows.join(window, on="account_id", how="left")
    return rows.with_columns(as_of=as_of).collect(engine="streaming")


FORMS = {
    "a query per date": per_date,
    "all dates in one query": all_dates,
    "in memory": in_memory,
    "a query per window": per_window,
    "one range join": range_join,
}

if __name__ == "__main__":
    answer(FORMS, lambda frame, _, path: frame.write_parquet(path), lambda frame: frame.estimated_size("mb"))
