"""The effect of a playbook: its assignments beside the history; a randomised effect, or a marked observational one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.errors import ExitCode, ForesailError

if TYPE_CHECKING:
    from features.definitions import Feature
    from features.history.store import History
    from foresail.config.project import Project
    from training.data.targets import Target
    from training.uplift import Effects

COLUMNS = ("account_id", "assigned_at", "playbook", "decided_by", "arm")
LOT, TREATMENT, CONTROL = "lot", "treatment", "control"
AT_STAKE = "purchases_amount_sum_365d"
"""What an account that is kept is worth: a year of its orders, as of the assignment."""


class NoExperiment(ForesailError, ValueError):
    """A playbook's assignments cannot be measured; the message names what there is and what is needed."""

    exit_code = ExitCode.MODEL


@dataclass(frozen=True)
class PlaybookTrial:
    """A playbook's assignments as an experiment: one row per (account_id, as_of), as_of being when it was assigned.

    An account counts once, from its first assignment on: an account is assigned again where the first did not help.
    """

    playbook: str
    features: pd.DataFrame
    """As of the assignment: nothing known later."""
    treated: "pd.Series[bool]"
    """Assigned to treatment, whether it was carried out or not (intention to treat)."""
    happened: "pd.Series[float]"
    """The target's label over the horizon after the assignment."""
    is_risk: bool
    """Whether what the target asks for is to be avoided; else it is to be brought about."""
    at_stake: "pd.Series[float]"
    """Ordered in the 365 days before, in account currency, 0 at least."""
    by_lot: bool
    left_out: Mapping[str, int]
    """Assigned accounts that are no row, by why."""

    def effects(self, **how: Any) -> "Effects":
        """The effect on the probability of what the target asks for; `how` is what `training.uplift.estimate_effects` takes besides.

        NotRandomised without a lot, unless `allow_observational=True`: then a doubly robust estimate, marked.
        """
        from training.uplift import NotRandomised, estimate_effects

        if not self.by_lot and not how.get("allow_observational"):
            raise NotRandomised(
                f"'{self.playbook}' was not given by lot: who got it was chosen, so that they differ from the others before it. "
                "Keep a random control group; until then allow_observational=True gives a doubly robust estimate, marked"
            )
        accounts = self.features.index.get_level_values("account_id").to_numpy()
        direction = "lower_is_better" if self.is_risk else "higher_is_better"
        given: dict[str, Any] = {"value": self.at_stake, "clusters": accounts, "direction": direction, **how}
        return estimate_effects(self.features, self.treated, self.happened, **given)


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
    from registry.target_kinds import RISKS

    checked = _checked(assignments, playbook)
    first = checked.sort_values("assigned_at", kind="stable").drop_duplicates("account_id")
    wanted = measurable(project, target)
    closed = first[first["assigned_at"] + wanted.closes_after <= pd.Timestamp(known_by)]
    by_lot = bool((first["decided_by"] == LOT).all())
    rows = closed if by_lot else pd.concat([closed, _others(project, closed, first, seed)])
    pairs = pd.MultiIndex.from_frame(rows[["account_id", "assigned_at"]])
    table = _eligible_features(project, pairs, wanted)
    happened = labels_after(project.history, table.index, wanted, known_by)
    treated = pd.Series((rows["arm"] == TREATMENT).to_numpy(), index=pairs).reindex(table.index)
    return PlaybookTrial(
        playbook, table[learnable_columns(project, table)], treated.astype(bool), happened, wanted.kind in RISKS,
        table[AT_STAKE].clip(lower=0.0).fillna(0.0), by_lot,
        {"horizon not closed": len(first) - len(closed), "not eligible": len(rows) - len(table)},
    )  # fmt: skip


def measurable(project: "Project", name: str) -> "Target":
    """The target of that name; NoExperiment if it asks for an amount or for days, of which no share can be kept."""
    target = project.target(name)
    if target.answer != "probability":
        raise NoExperiment(
            f"target '{name}' is of kind {target.kind}, whose answer is {target.answer}; the effect of a playbook is "
            "measured on what happens or does not: churn, contract_churn, contraction, upsell, cross_sell"
        )
    return target


def labels_after(history: "History", pairs: pd.Index, target: "Target", known_by: datetime) -> "pd.Series[float]":
    """The label of each pair (account_id, as_of), by what was known by `known_by`; NaN for one not known in the history.

    A target that compares with what all accounts did is asked for all of them, moment by moment.
    """
    from features.engine.point_in_time import build_feature_rows

    if target.before:
        moments = pd.DatetimeIndex(pairs.get_level_values(1)).unique()
        parts = [target.labels(history, [moment.to_pydatetime()], known_by) for moment in moments]
        known = pd.concat(parts) if parts else pd.Series(index=pairs[:0], dtype=float)
        return known[known.index.isin(pairs)].reindex(pairs)
    ids, moments = pairs.get_level_values(0), pd.DatetimeIndex(pairs.get_level_values(1))
    ends = pd.MultiIndex.from_arrays([ids, moments + target.closes_after])
    after = build_feature_rows(history, ends, target.after, leak_until=known_by)
    found = pd.Series(target.label(after, None), index=after.index)
    return pd.Series(found.reindex(ends).to_numpy(), index=pairs, name=target.name)


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
    from features.engine.events import KnownAccounts

    history = project.history
    found = [KnownAccounts.of_bucket(history, bucket).accounts.to_pylist() for bucket in range(history.buckets)]
    return np.array(sorted(account for part in found for account in part), dtype=object)


def _eligible_features(project: "Project", pairs: pd.MultiIndex, target: "Target") -> pd.DataFrame:
    """The catalog and what tells who is eligible, of the pairs that were eligible."""
    from features.engine.point_in_time import build_feature_rows

    history = project.history.at(project.history.versions())
    wanted: dict[str, Feature] = {one.name: one for one in (*project.catalog, *target.population.features)}
    table = build_feature_rows(history, pairs, wanted.values())
    return table[target.population.eligible(table)]


def learnable_columns(project: "Project", table: pd.DataFrame) -> list[str]:
    """The catalog's features that vary among these rows; the point in the year only where every season was seen twice."""
    from training.models.boosting import learnable

    moments = table.index.get_level_values("as_of")
    names, _ = learnable(project.catalog, [moments.min(), moments.max()])
    return [name for name in names if len(table[name].unique()) > 1]
