"""What a playbook did: its assignments beside the history, and the effect by lot, or marked where there was none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from features.definitions import Feature
    from foresail.project import Project
    from training.targets import Target
    from training.uplift import Effects

COLUMNS = ("account_id", "assigned_at", "playbook", "decided_by", "arm")
LOT, TREATMENT, CONTROL = "lot", "treatment", "control"
AT_STAKE = "purchases_amount_sum_365d"
"""What an account that is kept is worth: a year of its orders, as of the assignment."""


class NoExperiment(ValueError):
    """There is nothing to learn from a playbook's assignments; the message says what there is and what is needed."""


@dataclass(frozen=True)
class PlaybookTrial:
    """A playbook's assignments as an experiment: one row per (account_id, as_of), as_of being when it was assigned.

    An account counts once, from its first assignment on: who is assigned again is who the first one did not help.
    """

    playbook: str
    features: pd.DataFrame
    """As of the assignment: nothing known later."""
    treated: "pd.Series[bool]"
    """Assigned to treatment, whether it was carried out or not (intention to treat)."""
    churned: "pd.Series[float]"
    """The target's label over the horizon after the assignment."""
    at_stake: "pd.Series[float]"
    """Ordered in the 365 days before, in account currency, 0 at least."""
    by_lot: bool
    left_out: Mapping[str, int]
    """Assigned accounts that are no row, by why."""

    def effects(self, **how: Any) -> "Effects":
        """The effect on the probability of churn; `how` is what `training.uplift.estimate_effects` takes besides.

        NotRandomised without a lot, unless `allow_observational=True`: then a doubly robust estimate, marked.
        """
        from training.uplift import NotRandomised, estimate_effects

        if not self.by_lot and not how.get("allow_observational"):
            raise NotRandomised(
                f"'{self.playbook}' was not given by lot: who got it was chosen, so that they differ from the others before it. "
                "Keep a random control group; until then allow_observational=True gives a doubly robust estimate, marked"
            )
        accounts = self.features.index.get_level_values("account_id").to_numpy()
        given: dict[str, Any] = {"value": self.at_stake, "clusters": accounts, "direction": "lower_is_better", **how}
        return estimate_effects(self.features, self.treated, self.churned, **given)


def playbook_trial(
    project: "Project",
    assignments: pd.DataFrame,
    playbook: str,
    target: str,
    known_by: datetime,
    *,
    seed: int = 0,
) -> PlaybookTrial:
    """A playbook's assignments with features as of each and the target's label after it, from what was known by `known_by`.

    `assignments` has a row for each: account_id, assigned_at (UTC where it has no zone), playbook, decided_by ('lot', or whoever chose), arm
    ('treatment' or 'control'). Those count whose horizon had closed and whose account was eligible for the target. Where the
    playbook was not given by lot, each treated account is set beside one that had not been assigned by then, drawn with `seed`.
    """
    checked = _checked(assignments, playbook)
    first = checked.sort_values("assigned_at", kind="stable").drop_duplicates("account_id")
    churn = project.target(target)
    if churn.kind != "churn":
        raise NoExperiment(
            f"target '{target}' is of kind {churn.kind}; so far the effect of a playbook is measured on churn"
        )
    closed = first[first["assigned_at"] + churn.closes_after <= pd.Timestamp(known_by)]
    by_lot = bool((first["decided_by"] == LOT).all())
    rows = closed if by_lot else pd.concat([closed, _others(project, closed, first, seed)])
    pairs = pd.MultiIndex.from_frame(rows[["account_id", "assigned_at"]])
    table, churned = _features_and_labels(project, pairs, churn, known_by)
    treated = pd.Series((rows["arm"] == TREATMENT).to_numpy(), index=pairs).reindex(table.index)
    return PlaybookTrial(
        playbook, table[_learnable(project, table)], treated.astype(bool), churned, table[AT_STAKE].clip(lower=0.0).fillna(0.0),
        by_lot, {"horizon not closed": len(first) - len(closed), "not eligible": len(rows) - len(table)},
    )  # fmt: skip


def _checked(assignments: pd.DataFrame, playbook: str) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in assignments.columns]
    if missing:
        raise NoExperiment(
            f"assignments has no column '{missing[0]}'; found {list(assignments.columns)}, needed {list(COLUMNS)}"
        )
    own = assignments.loc[assignments["playbook"] == playbook, list(COLUMNS)].copy()
    if own.empty:
        there = ", ".join(sorted(assignments["playbook"].astype("str").unique()))
        raise NoExperiment(f"nobody was assigned to '{playbook}'; there are assignments to {there}")
    unknown = sorted(set(own["arm"]) - {TREATMENT, CONTROL})
    if unknown:
        raise NoExperiment(f"'{playbook}' has the arm '{unknown[0]}'; it must be '{TREATMENT}' or '{CONTROL}'")
    own["assigned_at"] = pd.to_datetime(own["assigned_at"], utc=True).dt.as_unit("us")
    own["account_id"] = own["account_id"].astype("str")
    return own


def _others(project: "Project", chosen: pd.DataFrame, first: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Beside each chosen account another one at the same moment, if that had not been assigned by then.

    No control group, but all there is. An account stands in once at most, and may have been chosen later itself: leaving
    out those would leave those whom nobody will ever choose.
    """
    rng = np.random.default_rng(seed)
    accounts = rng.permutation(_accounts(project))[: len(chosen)]
    moments = rng.permutation(chosen["assigned_at"].to_numpy())[: len(accounts)]
    others = pd.DataFrame({"account_id": accounts, "assigned_at": moments}).assign(arm=CONTROL)
    others["assigned_at"] = pd.to_datetime(others["assigned_at"], utc=True).dt.as_unit("us")
    own = others["account_id"].map(first.set_index("account_id")["assigned_at"])
    return others[~(own <= others["assigned_at"])]


def _accounts(project: "Project") -> "np.ndarray[Any, Any]":
    """Every account of the history, in the order of ids."""
    from features.events import Roll

    history = project.history
    found = [Roll.of_bucket(history, bucket).accounts.to_pylist() for bucket in range(history.buckets)]
    return np.array(sorted(account for part in found for account in part), dtype=object)


def _features_and_labels(
    project: "Project", pairs: pd.MultiIndex, target: "Target", known_by: datetime
) -> "tuple[pd.DataFrame, pd.Series[float]]":
    from features.pairs import build_feature_rows

    history = project.history.at(project.history.versions())
    wanted: dict[str, Feature] = {one.name: one for one in (*project.catalog, *target.population.features)}
    table = build_feature_rows(history, pairs, wanted.values())
    table = table[target.population.eligible(table)]
    ids, moments = (table.index.get_level_values(level) for level in ("account_id", "as_of"))
    ends = pd.MultiIndex.from_arrays([ids, pd.DatetimeIndex(moments) + target.closes_after])
    after = build_feature_rows(history, ends, target.after, leak_until=known_by)
    return table, pd.Series(target.label(after, None), index=table.index, name=target.name)


def _learnable(project: "Project", table: pd.DataFrame) -> list[str]:
    """The catalog's features that vary among these rows; the point in the year only where every season was seen twice."""
    from training.models import learnable

    moments = table.index.get_level_values("as_of")
    names, _ = learnable(project.catalog, [moments.min(), moments.max()])
    return [name for name in names if len(table[name].unique()) > 1]
