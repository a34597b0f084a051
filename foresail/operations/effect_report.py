"""The effect of every playbook, from the assignments in the operational database and the outcomes in the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.progress import StepProgress
from foresail.operations.effects import CONTROL, TREATMENT, NoExperiment, labels_after, learnable_columns, measurable

if TYPE_CHECKING:
    from foresail.config.project import Project
    from training.data.targets import Target
    from training.experiments import Outcomes, PlaybookEffect

PURCHASES = "purchases"
LAST_YEAR = "purchases_net_amount_sum_365d"
NOT_CARRIED_OUT = ("dismissed", "expired")


@dataclass(frozen=True)
class PlaybookReport:
    """One playbook: its assignments, interventions and effect. An account counts by its first assignment."""

    playbook: str
    target: str
    is_risk: bool
    assigned: Mapping[str, int]
    """Accounts in treatment and in control."""
    delivered: int
    """Accounts in treatment of which an intervention was begun."""
    done: int
    left_out: Mapping[str, int]
    """Accounts that are not measured, by why."""
    effect: "PlaybookEffect"
    prior: float | None
    """The assumed share of what is at stake; None for a playbook that is not declared any more."""
    learnt_version: int | None = None
    """Of the registered effect, where one was learnt."""


@dataclass(frozen=True)
class EffectReport:
    """All playbooks with assignments, in the order of their names."""

    known_by: datetime
    playbooks: tuple[PlaybookReport, ...]


def effects(
    project: "Project",
    known_by: datetime,
    *,
    playbook: str | None = None,
    learn: bool = False,
    seed: int = 0,
    progress: StepProgress | None = None,
) -> EffectReport:
    """What each playbook (or the one of that name) did, by what was known by a moment; with `learn` it is registered, too.

    NoExperiment if nobody was assigned. DatabaseUnavailable, HistoryError; NoModel if there is nowhere to register.
    """
    rows = _assigned(project, known_by)
    names = sorted(rows["playbook"].unique()) if playbook is None else [playbook]
    reports = []
    for number, name in enumerate(names):
        own = rows[rows["playbook"] == name]
        if own.empty:
            there = ", ".join(sorted(rows["playbook"].unique())) or "nothing"
            raise NoExperiment(f"nobody was assigned to '{name}'; there are assignments to {there}")
        reports.append(_report(project, name, own, known_by, seed if learn else None))
        if progress:
            progress(number + 1, len(names), "playbooks")
    return EffectReport(known_by, tuple(reports))


def _assigned(project: "Project", known_by: datetime) -> pd.DataFrame:
    """The first assignment of each account to each playbook, of those made by then, with what had become of it by then."""
    from serving.database.engine import reading
    from serving.database.intervention_states import ASSIGNED
    from serving.interventions.decide.outcomes import experiment_outcomes

    with reading(project.engine()) as connection:
        rows = experiment_outcomes(connection)
    for name in ("assigned_at", "closed_at"):
        rows[name] = pd.to_datetime(rows[name], utc=True).dt.as_unit("us")
    rows["status"] = rows["status"].mask(rows["closed_at"] > pd.Timestamp(known_by), ASSIGNED)
    first = rows.drop_duplicates(["playbook", "account_id"])
    return first[first["assigned_at"] <= pd.Timestamp(known_by)]


def _report(project: "Project", name: str, own: pd.DataFrame, known_by: datetime, seed: int | None) -> PlaybookReport:
    from registry.target_kinds import RISKS
    from training.experiments import measured

    newest = str(own["target"].iloc[-1])
    target = measurable(project, newest)
    trial = _Trial.of(project, own, target, known_by)
    found = measured(trial.outcomes, _cost(trial.rows))
    declared = project.interventions.playbooks.get(name)
    version = None if seed is None else _register(project, name, target, trial, found, known_by, seed)
    treated = own[own["arm"] == TREATMENT]
    return PlaybookReport(
        name, newest, target.kind in RISKS, {arm: int((own["arm"] == arm).sum()) for arm in (TREATMENT, CONTROL)},
        int(treated["status"].notna().sum()), int((treated["status"] == "done").sum()), trial.left_out, found,
        None if declared is None else declared.effect.prior, version,
    )  # fmt: skip


@dataclass(frozen=True)
class _Trial:
    """The assignments that are measured, and what came of them."""

    rows: pd.DataFrame
    outcomes: "Outcomes"
    left_out: Mapping[str, int]

    @classmethod
    def of(cls, project: "Project", own: pd.DataFrame, target: "Target", known_by: datetime) -> "_Trial":
        """Those for the newest target, drawn with a control, whose horizon the history has been read beyond, and that it knows."""
        from registry.target_kinds import RISKS

        closes = own["assigned_at"] + target.closes_after
        reasons = {
            "for another target": own["target"] != target.name,
            "without a control group": ~own["control"].between(0, 1, inclusive="neither"),
            "horizon not closed": closes > pd.Timestamp(known_by),
            "what came of it not read yet": closes > pd.Timestamp(_read_until(project, target, known_by)),
        }
        out, rows = _counted_once(reasons), own[~np.logical_or.reduce(list(reasons.values()))]
        told = _told(project, rows, target, known_by)
        known = told["label"].notna().to_numpy()
        out["not in the history"] = int((~known).sum())
        outcomes = _outcomes(rows[known], told[known], target.kind in RISKS)
        return cls(rows[known], outcomes, {why: count for why, count in out.items() if count})


def _read_until(project: "Project", target: "Target", known_by: datetime) -> datetime:
    """Up to when every source that tells what came of it was read: silence after that is not a loss. Posted events always are."""
    from features.engine.plan import FeatureSet
    from features.history.arrivals import last_arrivals

    telling = {PURCHASES, *FeatureSet(target.after).plan.streams}
    arrivals = last_arrivals(project.history)
    read = [arrivals.get((source.stream, source.name)) for source in project.sources if source.stream in telling]
    return min([known_by, *(project.earliest if one is None else one.as_of for one in read)])


def _counted_once(reasons: "Mapping[str, pd.Series[bool]]") -> dict[str, int]:
    """How many each reason leaves out, the first one counting."""
    counts, gone = {}, np.zeros(len(next(iter(reasons.values()))), dtype=bool)
    for why, holds in reasons.items():
        new = holds.to_numpy() & ~gone
        counts[why], gone = int(new.sum()), gone | new
    return counts


def _told(project: "Project", rows: pd.DataFrame, target: "Target", known_by: datetime) -> pd.DataFrame:
    """Of each assignment the target's label, what was ordered within the horizon, and in the year before."""
    from features.catalog import named
    from features.engine.point_in_time import build_feature_rows
    from training.data.targets import ValueTarget

    history = project.history.at(project.history.versions())
    pairs = pd.MultiIndex.from_frame(rows[["account_id", "assigned_at"]], names=["account_id", "as_of"])
    revenue = ValueTarget("revenue", target.closes_after.days)
    before = build_feature_rows(history, pairs, named([LAST_YEAR]))[LAST_YEAR].reindex(pairs)
    told = {
        "label": labels_after(history, pairs, target, known_by),
        "revenue": labels_after(history, pairs, revenue, known_by),
        "last_year": before,
    }
    return pd.DataFrame({name: column.to_numpy() for name, column in told.items()}, index=rows.index)


def _outcomes(rows: pd.DataFrame, told: pd.DataFrame, is_risk: bool) -> "Outcomes":
    """As `training.experiments` takes them. Who was not scored has nothing at stake, and counts in the other figures."""
    from training.experiments import Arms, Outcomes

    score, at_stake = (rows[name].to_numpy(dtype=np.float64) for name in ("probability", "value_at_stake"))
    chance = score if is_risk else 1.0 - score
    known = (chance > 0) & np.isfinite(at_stake)
    label = told["label"].to_numpy(dtype=np.float64)
    quadrant = rows["quadrant"].astype(object)
    return Outcomes(
        Arms((rows["arm"] == TREATMENT).to_numpy(), rows["control"].to_numpy(dtype=np.float64)),
        label if is_risk else 1.0 - label,
        told["revenue"].to_numpy(dtype=np.float64),
        chance,
        np.where(known, at_stake, 0.0),
        np.divide(at_stake, chance, out=np.zeros(len(rows)), where=known),
        np.column_stack([score, at_stake, told["last_year"].to_numpy(dtype=np.float64)]),
        quadrant.where(quadrant.notna(), None).to_numpy(),
    )


def _cost(rows: pd.DataFrame) -> float:
    """Of what was begun and not given up."""
    carried_out = rows["status"].notna() & ~rows["status"].isin(NOT_CARRIED_OUT) & (rows["arm"] == TREATMENT)
    return float(rows.loc[carried_out, "begun_cost"].sum())


def _register(  # what is registered, of what, from what
    project: "Project",
    name: str,
    target: "Target",
    trial: _Trial,
    found: "PlaybookEffect",
    known_by: datetime,
    seed: int,
) -> int | None:
    """The version under which the effect is registered; None where there is nothing to learn yet."""
    from features.catalog import fingerprint, named
    from registry.card import EffectCard
    from registry.writer import effect_name, register_effect
    from training.experiments.learning import learn

    learnt = learn(trial.outcomes, found, _features(project, trial.rows), seed=seed)
    if learnt is None:
        return None
    features = named(learnt.card.features, project.catalog)
    card = EffectCard(
        **dict(learnt.card), playbook=name, target=target.name, kind=target.kind, learnt_as_of=known_by,
        fingerprint=fingerprint(features),
    )  # fmt: skip
    return register_effect(effect_name(project.slug, name), card, learnt.boosters, project.tracking_uri).version


def _features(project: "Project", rows: pd.DataFrame) -> pd.DataFrame | None:
    """The catalog as of each assignment, without what never varies; None with too few accounts to tell any apart."""
    from features.engine.point_in_time import build_feature_rows
    from training.uplift.learner_selection import LEARNER_NEEDS

    if rows["arm"].value_counts().reindex([TREATMENT, CONTROL], fill_value=0).min() < LEARNER_NEEDS:
        return None
    history = project.history.at(project.history.versions())
    pairs = pd.MultiIndex.from_frame(rows[["account_id", "assigned_at"]], names=["account_id", "as_of"])
    table = build_feature_rows(history, pairs, project.catalog)
    return table[learnable_columns(project, table)]
