"""fastdfs: deep feature synthesis as SQL on DuckDB. It has cutoff times but no windows, so it is asked for all of the past."""

import fastdfs
import pandas as pd
from fastdfs.dfs import DFSConfig
from fastdfs.utils.logging_config import configure_logging
from task import answer
from training_shape import Question

NAMES = {
    "COUNT(lines)": "count", "SUM(lines.amount)": "sum", "MEAN(lines.amount)": "mean", "STD(lines.amount)": "std",
    "MIN(lines.amount)": "min", "MAX(lines.amount)": "max",
}  # fmt: skip


def all_time(question: Question) -> pd.DataFrame:
    """Every account at every date; only the amounts are in the table, or it would compute everything of all columns."""
    lines = pd.read_parquet(question.events, columns=["account_id", "occurred_at", "amount"])
    lines["occurred_at"] = lines.occurred_at.dt.tz_localize(None)
    accounts = lines[["account_id"]].drop_duplicates().reset_index(drop=True)
    rdb = fastdfs.create_rdb(
        {"accounts": accounts, "lines": lines},
        primary_keys={"accounts": "account_id"},
        foreign_keys=[("lines", "account_id", "accounts", "account_id")],
        time_columns={"lines": "occurred_at"},
        type_hints={"lines": {"amount": "float"}},
    )
    moments = pd.DatetimeIndex([date.replace(tzinfo=None) for date in question.moments])
    rows = pd.DataFrame(
        {"account": accounts.account_id.repeat(len(moments)).to_numpy(), "as_of": list(moments) * len(accounts)}
    )
    wanted = DFSConfig(
        agg_primitives=list(question.stats), max_depth=2, include_cutoff_time=True, dfs2sql_sql_workers=2
    )
    return fastdfs.compute_dfs_features(rdb, rows, {"account": "accounts.account_id"}, "as_of", config=wanted)


def save(rows: pd.DataFrame, question: Question, path: str) -> None:
    (days,) = question.windows
    named = {f"d2__accounts.{theirs}": f"{ours}_{days}" for theirs, ours in NAMES.items()}
    plain = rows.rename(columns={"account": "account_id"} | named)
    plain["as_of"] = plain.as_of.dt.tz_localize("UTC")
    plain[["account_id", "as_of", *question.columns]].to_parquet(path, index=False)


if __name__ == "__main__":
    configure_logging("WARNING")
    answer({"cutoff times": all_time}, save, lambda rows: rows.memory_usage().sum() / 2**20)
