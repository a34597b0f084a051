"""featuretools: one feature matrix per window, with cutoff times and a training window; the features are named, not searched for."""

import featuretools as ft
import pandas as pd
from featuretools.primitives import get_aggregation_primitives
from task import answer
from training_shape import Question

PRIMITIVES = {
    "count": ("count", "line"), "sum": ("sum", "amount"), "mean": ("mean", "amount"), "std": ("std", "amount"),
    "min": ("min", "amount"), "max": ("max", "amount"), "first": ("first", "amount"), "last": ("last", "amount"),
    "product": ("sum", "product"), "quantity_sum": ("sum", "quantity"), "quantity_max": ("max", "quantity"),
    "categories": ("num_unique", "category"),
}  # fmt: skip


def per_window(question: Question) -> pd.DataFrame:
    """A feature matrix per window. It takes times without a zone."""
    entities = _entities(pd.read_parquet(question.events))
    features = [_feature(entities, stat) for stat in question.stats]
    moments = pd.DatetimeIndex([date.replace(tzinfo=None) for date in question.moments])
    accounts = entities["accounts"]["account_id"]
    cutoffs = pd.DataFrame(
        {"account_id": accounts.repeat(len(moments)).to_numpy(), "time": list(moments) * len(accounts)}
    )
    matrices = [_matrix(entities, features, cutoffs, question, days) for days in question.windows]
    return pd.concat(matrices, axis=1)


def _entities(lines: pd.DataFrame) -> ft.EntitySet:
    lines = lines.assign(occurred_at=lines.occurred_at.dt.tz_localize(None), product=lines.amount * lines.quantity)
    lines = (
        lines[["account_id", "occurred_at", "amount", "quantity", "product", "category"]]
        .rename_axis("line")
        .reset_index()
    )
    accounts = lines[["account_id"]].drop_duplicates()
    entities = ft.EntitySet("company")
    entities.add_dataframe(dataframe_name="accounts", dataframe=accounts, index="account_id")
    categorical = {"category": "Categorical"}
    entities.add_dataframe(
        dataframe_name="lines", dataframe=lines, index="line", time_index="occurred_at", logical_types=categorical
    )
    return entities.add_relationship("accounts", "account_id", "lines", "account_id")


def _feature(entities: ft.EntitySet, stat: str) -> ft.Feature:
    name, column = PRIMITIVES[stat]
    primitive = get_aggregation_primitives()[name]
    return ft.Feature(entities["lines"].ww[column], parent_dataframe_name="accounts", primitive=primitive).rename(stat)


def _matrix(entities, features, cutoffs: pd.DataFrame, question: Question, days: int) -> pd.DataFrame:
    matrix = ft.calculate_feature_matrix(
        features, entities, cutoff_time=cutoffs, training_window=ft.Timedelta(days, "d"), cutoff_time_in_index=True
    )
    return matrix[list(question.stats)].add_suffix(f"_{days}").sort_index()


def save(rows: pd.DataFrame, _: Question, path: str) -> None:
    plain = rows.rename_axis(["account_id", "as_of"]).reset_index()
    plain["as_of"], plain["account_id"] = plain.as_of.dt.tz_localize("UTC"), plain.account_id.astype(str)
    plain.to_parquet(path, index=False)


if __name__ == "__main__":
    answer({"a matrix per window": per_window}, save, lambda rows: rows.memory_usage().sum() / 2**20)
