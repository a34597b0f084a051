"""A registered model put back to a moment: what it would have said then, and what happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from features.catalog import CATALOG, UnknownFeature, fingerprint, named
from features.history import History
from features.plan import FeatureSet
from training import report, tracking
from training.coverage import StaleHistory, purchases_known
from training.dataset import Dataset, labelled, unlabelled
from training.evaluation import Evaluation, judge
from training.metrics import rate_interval
from training.moments import in_utc
from training.targets import ChurnTarget, HorizonOpen


class OtherFeatures(ValueError):
    """The catalog no longer computes what the model was trained on."""


@dataclass(frozen=True)
class Hindsight:
    """Scores as of a moment; `evaluation` is None, and `open_because` says why, while the horizon has not closed."""

    version: int
    rung: str
    as_of: datetime
    horizon_days: int
    scores: pd.DataFrame
    """One row per eligible account_id (the index): probability, the baseline's, and churned (1.0, 0.0; NaN while open)."""
    evaluation: Evaluation | None
    open_because: str | None
    notes: tuple[str, ...]
    report_path: Path | None = None


def evaluate(  # noqa: PLR0913  # all but two are given by name
    history: History,
    as_of: datetime,
    *,
    name: str,
    tracking_uri: str,
    known_by: datetime,
    alias: str = tracking.CHAMPION,
    seed: int = 0,
    report_to: Path | None = None,
    catalog: FeatureSet = CATALOG,
) -> Hindsight:
    """Score with the model behind `alias` from what was known at as_of, and compare with what was known by `known_by`.

    The baseline beside it is the one that was trained together with the model. NoModel, OtherFeatures; ValueError if a
    moment is naive. The notes say in words what the judgement is worth, and what in it is bad.
    """
    as_of, known_by = in_utc(as_of), in_utc(known_by)
    version, model = tracking.load_model(tracking_uri, name, alias)
    for card in (model.card, model.card["baseline"]):
        refuse_other_features(card, name, version, catalog)
    target = ChurnTarget.from_json(model.card["target"])
    history = history.at(history.versions())
    data, open_because = _rows(history, target, as_of, known_by, _features(model.card, catalog))
    scored = _scored(data, model)
    scores = pd.DataFrame(
        {"probability": scored.model, "baseline": scored.baseline, "churned": scored.labels},
        index=pd.Index(data.account_id, name="account_id"),
    )
    notes = _fairness(model.card, as_of, target)
    if open_because or not len(data):
        return Hindsight(
            version,
            model.card["rung"],
            as_of,
            target.horizon_days,
            scores,
            None,
            open_because or "no account was eligible",
            notes,
        )
    evaluation = _judge(data, scored, model.card, seed)
    notes = (*notes, *shortcomings(scored, evaluation, model.card["rung"]))
    page = report.of_hindsight(model.card, version, as_of, evaluation, scored, notes)
    written = report.write(page, report_to)
    return Hindsight(version, model.card["rung"], as_of, target.horizon_days, scores, evaluation, None, notes, written)


def _rows(
    history: History, target: ChurnTarget, as_of: datetime, known_by: datetime, features: FeatureSet
) -> tuple[Dataset, str | None]:
    """The eligible accounts, labelled if the horizon has closed; else the reason why not."""
    try:
        return closed_rows(history, target, as_of, known_by, features), None
    except (HorizonOpen, StaleHistory) as still_open:
        return unlabelled(history, target, as_of, features), str(still_open)


def closed_rows(
    history: History, target: ChurnTarget, as_of: datetime, known_by: datetime, features: FeatureSet
) -> Dataset:
    """The eligible accounts and what became of them; HorizonOpen, or StaleHistory if purchases end before the horizon does."""
    closes = as_of + target.horizon
    if target.closed(as_of, known_by):
        purchases_known(history, closes).reaches(closes, target.horizon)
    return labelled(history, target, [as_of], features, known_by)


def _features(card: dict[str, Any], catalog: FeatureSet) -> FeatureSet:
    """What the model and the baseline beside it read."""
    return named(list(dict.fromkeys([*card["features"], *card["baseline"]["features"]])), catalog)


def _scored(data: Dataset, model: Any) -> report.Scored:
    card = model.card["baseline"]
    baseline = tracking.model_code().ScoreModel(card) if card["rung"] != model.card["rung"] else model
    ours = model.probability(data.columns(model.features))
    return report.Scored(data.labels, ours, baseline.probability(data.columns(card["features"])))


def _judge(data: Dataset, scored: report.Scored, card: dict[str, Any], seed: int) -> Evaluation:
    baseline = card["baseline"]["rung"]
    probabilities = {baseline: scored.baseline, card["rung"]: scored.model}
    return judge(probabilities, data.labels, data.account, baseline=baseline, seed=seed)


def refuse_other_features(card: dict[str, Any], name: str, version: int, catalog: FeatureSet) -> None:
    """OtherFeatures if the catalog does not compute what the model was trained on."""
    remedy = (
        "train again, or go back to the release of Foresail and the files of [features] extend that it was trained with"
    )
    try:
        here = fingerprint(named(card["features"], catalog))
    except UnknownFeature as unknown:
        raise OtherFeatures(f"version {version} of '{name}' cannot be computed here, {unknown}: {remedy}") from unknown
    if here != card["fingerprint"]:
        raise OtherFeatures(
            f"version {version} of '{name}' was trained on features that this catalog computes differently: {remedy}"
        )


def shortcomings(scored: report.Scored, evaluation: Evaluation, rung: str) -> tuple[str, ...]:
    """What a reader of the numbers must not overlook, in words; a row of `scored` is one account."""
    return tuple(note for note in (_off_level(scored), _no_better(evaluation, rung)) if note)


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
    """A log loss that is not below the baseline's; "" if it is, or if the model is the baseline."""
    baseline = evaluation.baseline
    ours, theirs = (evaluation.metrics[each]["log_loss"].value for each in (rung, baseline))
    if rung == baseline or ours < theirs:
        return ""
    difference = evaluation.differences[rung]["log_loss"]
    return (
        f"log loss {ours:.4f} is {'worse than' if difference.low > 0 else 'no better than'} the {theirs:.4f} of the baseline "
        f"{baseline} (difference between {difference.low:+.4f} and {difference.high:+.4f}): for probabilities, the simplest rule "
        f"would have done here"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def seen_of(card: Mapping[str, Any], as_of: datetime, target: ChurnTarget) -> str:
    """How much of the horizon after as_of a model's training knew: "" nothing, "part of" it or "all of" it."""
    trained = datetime.fromisoformat(card["trained_as_of"])
    if trained <= as_of:
        return ""
    return "all of" if as_of + target.horizon <= trained else "part of"


def _fairness(card: dict[str, Any], as_of: datetime, target: ChurnTarget) -> tuple[str, ...]:
    seen = seen_of(card, as_of, target)
    trained = card["trained_as_of"][:10]
    if not seen:
        return ()
    return (f"this is no fair test: the model was trained as of {trained} and has seen {seen} this horizon",)
