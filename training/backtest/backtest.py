"""A registered model put back to a moment: what it would have said then, and what happened."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.arrays import Floats
from features.catalog import CATALOG, UnknownFeature, fingerprint, named
from features.engine.plan import FeatureSet
from features.errors import ExitCode, ForesailError
from features.history.store import History
from features.timestamps import in_utc
from registry.card import ModelCard, Recipe
from registry.store import CHAMPION
from registry.versions import ModelVersion, Scorer, load_alias
from training.data.coverage import StaleHistory, known_at
from training.data.dataset import Dataset, labelled, unlabelled
from training.data.targets import HorizonOpen, Target, target_from
from training.evaluation.comparison import Evaluation, judge
from training.evaluation.examples import ReasonWriter
from training.evaluation.profit import NOTHING_GIVEN, Campaign
from training.evaluation.summary import Judged, Summary, groups_at, needed_for_value, summarise
from training.metrics.probabilities import rate_interval
from training.models.ladder import task_for
from training.reports import report

LOSSES = ("log_loss", "deviance", "crps")
"""By kind of answer, the metric that models are chosen by."""


class OtherFeatures(ForesailError, ValueError):
    """The catalog no longer computes what the model was trained on."""

    exit_code = ExitCode.MODEL


@dataclass(frozen=True)
class Backtest:
    """Scores as of a moment; `evaluation` is None, and `open_because` says why, while the horizon has not closed."""

    version: int
    rung: str
    as_of: datetime
    horizon_days: int
    scores: pd.DataFrame
    """One row per eligible account_id (the index): foreseen (the probability, amount or median days), the baseline's, and
    what happened (1.0 or 0.0, amount, days, infinite where nothing came; NaN while open)."""
    evaluation: Evaluation | None
    open_because: str | None
    notes: tuple[str, ...]
    report_path: Path | None = None
    kind: str = "churn"
    happened: str = "churned"
    """The verb for label 1."""
    summary: Summary | None = None
    """What the answers were worth, and the grade they earned here; None while the horizon is open."""
    trained_grade: str | None = None
    """The grade on the model's card; None on a card from before there were grades."""


def evaluate(  # noqa: PLR0913  # all but two are given by name
    history: History,
    as_of: datetime,
    *,
    name: str,
    tracking_uri: str,
    known_by: datetime,
    alias: str = CHAMPION,
    seed: int = 0,
    report_to: Path | None = None,
    catalog: FeatureSet = CATALOG,
    campaign: Campaign = NOTHING_GIVEN,
    reason_writer: ReasonWriter | None = None,
) -> Backtest:
    """Score with the model behind `alias` from what was known at as_of, and compare with what was known by `known_by`.

    The baseline beside it is the one that was trained together with the model. NoModel, OtherFeatures; ValueError if a
    moment is naive. The notes say in words what the judgement is worth, and what in it is bad.
    """
    as_of, known_by = in_utc(as_of), in_utc(known_by)
    model = load_alias(tracking_uri, name, alias)
    card, version = model.card, model.version
    for recipe in (card, model.baseline_recipe):
        refuse_other_features(recipe, name, version, catalog)
    target = target_from(card.target.to_json())
    history = history.at(history.versions())
    data, open_because = _rows(history, target, as_of, known_by, _features(model, catalog))
    scored = _scored(data, model)
    scores = pd.DataFrame(
        {"foreseen": main(scored.model), "baseline": main(scored.baseline), "happened": scored.labels},
        index=pd.Index(data.account_id, name="account_id"),
    )
    notes = _fairness(card, as_of, target)
    backtest = Backtest(
        version, card.rung, as_of, target.horizon_days, scores, None, open_because, notes, None, target.kind,
        target.happened, None, card.grade.letter if card.grade else None,
    )  # fmt: skip
    if open_because or not len(data):
        return replace(backtest, open_because=open_because or "no account was eligible")
    evaluation = _judge(data, scored, model, target, seed)
    notes = (*notes, *shortcomings(scored, evaluation, card.rung))
    judged = Judged(data, scored.model, scored.baseline, model, evaluation, card.rung)
    groups = groups_at(history, as_of, data.account_id.tolist())
    summary = summarise(judged, target, campaign, groups, seed, catalog=catalog, reason_writer=reason_writer)
    page = report.of_backtest(card, version, as_of, evaluation, summary, scored, notes)
    written = report.write(page, report_to)
    return replace(backtest, evaluation=evaluation, notes=notes, report_path=written, summary=summary)


def _rows(
    history: History, target: Target, as_of: datetime, known_by: datetime, features: FeatureSet
) -> tuple[Dataset, str | None]:
    """The eligible accounts, labelled if the horizon has closed; else the reason why not."""
    try:
        return closed_rows(history, target, as_of, known_by, features), None
    except (HorizonOpen, StaleHistory) as still_open:
        return unlabelled(history, target, as_of, features), str(still_open)


def closed_rows(history: History, target: Target, as_of: datetime, known_by: datetime, features: FeatureSet) -> Dataset:
    """The eligible accounts and what became of them; HorizonOpen, or StaleHistory if purchases end before the horizon does."""
    closes = as_of + target.closes_after
    if target.closed(as_of, known_by):
        known_at(history, closes, target.stream).reaches(closes, target.closes_after)
    return labelled(history, target, [as_of], features, known_by)


def _features(model: ModelVersion, catalog: FeatureSet) -> FeatureSet:
    """The features that the model and its baseline read, and those that an account's value is made of."""
    value = (feature.name for feature in needed_for_value(catalog))
    return named(list(dict.fromkeys([*model.features, *model.baseline.features, *value])), catalog)


def _scored(data: Dataset, model: ModelVersion) -> report.Scored:
    target = model.card.target
    answers = answers_for(model, data), answers_for(model.baseline, data)
    return report.Scored(data.labels, *answers, model.card.answer, float(target.horizon_days), target.happened)


def answers_for(model: Scorer, data: Dataset) -> Floats:
    """The answers of a registered model, or of the baseline on its card, for some rows."""
    return model.answers(data.columns(model.features))


def _judge(data: Dataset, scored: report.Scored, model: ModelVersion, target: Target, seed: int) -> Evaluation:
    baseline = model.baseline_recipe.rung
    answers = {baseline: scored.baseline, model.card.rung: scored.model}
    task = task_for(target)
    return judge(answers, data.labels, data.account, baseline=baseline, seed=seed, task=task)


def refuse_other_features(recipe: Recipe, name: str, version: int, catalog: FeatureSet) -> None:
    """OtherFeatures if the catalog does not compute what the model was trained on."""
    remedy = (
        "train again, or go back to the release of Foresail and the files of [features] extend that it was trained with"
    )
    try:
        here = fingerprint(named(recipe.features, catalog))
    except UnknownFeature as unknown:
        raise OtherFeatures(f"version {version} of '{name}' cannot be computed here, {unknown}: {remedy}") from unknown
    if here != recipe.fingerprint:
        raise OtherFeatures(
            f"version {version} of '{name}' was trained on features that this catalog computes differently: {remedy}"
        )


def main(answers: Floats) -> Floats:
    """Of answers the number that stands for them: the probability, the amount, the median of days, (n,)."""
    return answers[:, 0] if answers.ndim == 2 else answers


def shortcomings(scored: report.Scored, evaluation: Evaluation, rung: str) -> tuple[str, ...]:
    """What a reader of the numbers must not overlook, in words; a row of `scored` is one account."""
    off = _off_level(scored) if evaluation.answer == "probability" else ""
    return tuple(note for note in (off, _no_better(evaluation, rung)) if note)


def _off_level(scored: report.Scored) -> str:
    """A mean probability outside of the 95 % interval of the churn rate; "" if inside."""
    foreseen, happened = float(scored.model.mean()), float(scored.labels.mean())
    low, high = rate_interval(int(scored.labels.sum()), len(scored.labels))
    if low <= foreseen <= high:
        return ""
    return (
        f"foreseen {_percent(foreseen)}, happened {_percent(happened)} (95 % interval {_percent(low)} to {_percent(high)}): the "
        f"probabilities are too {'low' if foreseen < low else 'high'} for this horizon; their order may still be right"
    )


def _no_better(evaluation: Evaluation, rung: str) -> str:
    """A loss that is not below the baseline's; "" if it is, or if the model is the baseline."""
    baseline, loss = evaluation.baseline, next(metric for metric in evaluation.described if metric.name in LOSSES)
    ours, theirs = (evaluation.metrics[model][loss.name].value for model in (rung, baseline))
    if rung == baseline or ours < theirs:
        return ""
    difference, name = evaluation.differences[rung][loss.name], loss.name.replace("_", " ")
    return (
        f"{name} {ours:.4f} is {'worse than' if difference.low > 0 else 'no better than'} the {theirs:.4f} of the baseline "
        f"{baseline} (difference between {difference.low:+.4f} and {difference.high:+.4f}): "
        f"{'for probabilities, ' if loss.name == 'log_loss' else ''}the simplest rule would have done here"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def seen_of(card: ModelCard, as_of: datetime, target: Target) -> str:
    """How much of the horizon after as_of a model's training knew: "" nothing, "part of" it or "all of" it."""
    if card.trained_as_of <= as_of:
        return ""
    return "all of" if as_of + target.closes_after <= card.trained_as_of else "part of"


def _fairness(card: ModelCard, as_of: datetime, target: Target) -> tuple[str, ...]:
    seen = seen_of(card, as_of, target)
    if not seen:
        return ()
    return (
        f"this is no fair test: the model was trained as of {card.trained_as_of:%Y-%m-%d} and has seen {seen} this horizon",
    )
