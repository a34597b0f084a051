"""Train a target as of a moment T: what became known after T is invisible, to features and to labels alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from features.catalog import CATALOG
from features.history import History
from features.plan import FeatureSet
from training import model_card, report, tracking
from training.calibration import Calibration
from training.card import Origin, describe
from training.coverage import purchases_known
from training.dataset import labelled, unlabelled
from training.drivers import drivers
from training.evaluation import Evaluation
from training.leakage import Suspect, suspects
from training.models import Fitted, informative, ladder, learnable
from training.moments import in_utc
from training.selection import Climb, NotEnoughLabels, climb_ladder, refit
from training.splits import Split, as_of_dates, split
from training.targets import ChurnTarget

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Settings:
    """At most `dates` as_of dates, `every_days` apart, none with less than `min_history_days` of history before it."""

    every_days: int = 30
    dates: int = 12
    min_history_days: int = 90


@dataclass(frozen=True)
class TrainingResult:
    """A registered model, and what is known about how good it is."""

    name: str
    """The registered name: <project slug>-<target name>."""
    run_id: str
    version: int
    alias: str
    rung: str
    choice: str
    """Why this rung, in words."""
    calibration: Calibration
    evaluation: Evaluation
    """Every rung on the test date, each fitted on what was known by then."""
    notes: tuple[str, ...]
    """What could not be done as usual, and why."""
    card: Mapping[str, Any]
    report_path: Path | None


def train(  # noqa: PLR0913  # all but three are given by name
    history: History,
    target: ChurnTarget,
    as_of: datetime,
    *,
    project: str,
    tracking_uri: str,
    settings: Settings | None = None,
    seed: int = 0,
    report_to: Path | None = None,
    progress: Progress | None = None,
    catalog: FeatureSet = CATALOG,
) -> TrainingResult:
    """Fit, choose, judge, register and report one target.

    `catalog` is what there is to learn from: with a company's own features, what `features.extension` made of them.
    `project` is the slug that begins the registered name. NotEnoughHistory, StaleHistory and NotEnoughLabels say
    what there is, what is needed and what to do; NoModel that the model store cannot be opened; ValueError that the seed
    is negative or as_of naive. The report goes to MLflow and, if given, to the file `report_to`.
    """
    _refuse_negative(seed)
    as_of, settings = in_utc(as_of), settings or Settings()
    history = history.at(history.versions())  # an ingest in the middle must not change what is read
    days = split_for(history, target, as_of, settings)
    _refuse_nobody(history, target, as_of)
    tracking.open_store(tracking_uri)
    ticks = _Ticks(len(days.closed) + 2 * len(ladder((), 0)) + 3, progress)
    data = labelled(
        history, target, days.closed, catalog, as_of, lambda done, of: ticks(f"features of date {done}/{of}")
    )
    ticks("features of the accounts of today")
    today = unlabelled(history, target, as_of, catalog)
    ticks("looking for leaks")
    # The test's labels have no part in it: what it finds may lead to a choice.
    leaks = suspects(data.at(days.train), outcome=(target.kind, *target.name.split("_")), scored=today, seed=seed)
    names, left_out = learnable(catalog, days.closed)
    climb = climb_ladder(ladder(informative(data, names), target.horizon_days), data, days, target, seed, ticks)
    climb = replace(climb, notes=(*map(_suspicion, leaks), *left_out, *climb.notes))
    final, baseline = refit(climb.winner, data, seed), refit(climb.baseline, data, seed)
    population = today.only(final.model.features)
    origin = Origin(project, target, as_of, days, history.versions(), seed, catalog)
    card = describe(origin, final, baseline, climb, data, population, leaks)
    page = report.of_training(
        card, climb.evaluation, scored_at_test(climb), drivers(card, final.model, population, catalog)
    )
    ticks.last("registering the model")
    registered = tracking.log_and_register(_logged(card, final.model, climb, settings, page), tracking_uri)
    return TrainingResult(
        tracking.registered_name(project, target.name),
        registered.run_id,
        registered.version,
        registered.alias,
        final.model.rung,
        climb.choice.reason,
        final.calibration,
        climb.evaluation,
        climb.notes,
        card,
        report.write(page, report_to),
    )


def split_for(history: History, target: ChurnTarget, as_of: datetime, settings: Settings) -> Split:
    """The dates to train on as of a moment, from what the history holds by then."""
    known = purchases_known(history, as_of)
    known.reaches(as_of, target.horizon)
    every, min_history = timedelta(days=settings.every_days), timedelta(days=settings.min_history_days)
    dates = as_of_dates(as_of, target.horizon, every, settings.dates, known.first, min_history)
    return split(dates, target.horizon)


def _suspicion(one: Suspect) -> str:
    return (
        f"{one.column} may be a leak: {one.words}. Ask when it is known: if only after the outcome, give its source a known_at, "
        "or leave it out"
    )


def _refuse_negative(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"the seed is {seed}; give 0 or any larger whole number")


def _refuse_nobody(history: History, target: ChurnTarget, as_of: datetime) -> None:
    """A model is registered with the scores of today's accounts to rank among; without any it could not serve."""
    if not len(unlabelled(history, target, as_of, ())):
        raise NotEnoughLabels(
            f"target '{target.name}': 0 accounts are eligible at {as_of.isoformat()} ({target.definition}), so the model would have "
            f"nobody to score or to rank among. Ingest what came since, take an earlier as_of, or widen active_within_days."
        )


def scored_at_test(climb: Climb) -> report.Scored:
    """The test's labels beside the probabilities of the chosen rung and of the baseline."""
    winner, baseline = climb.winner, climb.baseline
    return report.Scored(winner.margins.labels, winner.probability, baseline.probability)


def _logged(card: Mapping[str, Any], model: Fitted, climb: Climb, settings: Settings, page: str) -> tracking.Logged:
    name = tracking.registered_name(card["project"], card["target"]["name"])
    parameters = {
        "target": card["target"]["definition"],
        "trained_as_of": card["trained_as_of"],
        "rung": model.rung,
        "calibration": card["calibration"]["method"],
        "every_days": settings.every_days,
        "dates": settings.dates,
        "min_history_days": settings.min_history_days,
        "seed": card["seed"],
        "features": len(model.features),
        "data_versions": str(card["data_versions"]),
        "fingerprint": card["fingerprint"],
        "as_of_dates": ", ".join(date[:10] for date in card["as_of_dates"]["refit"]),
        "test_date": card["as_of_dates"]["test"][:10],
        **climb.winner.contender.rung.settings,
    }
    files = {
        "report.html": page,
        "model_card.md": model_card.markdown(card),
        **report.plots(scored_at_test(climb), (model.rung, climb.evaluation.baseline)),
    }
    return tracking.Logged(name, card, model.booster, parameters, flat_metrics(climb), files)


def flat_metrics(climb: Climb) -> dict[str, float]:
    """For MLflow: the chosen rung's metrics under their own names, every rung's under rung/metric, with bounds."""
    flat: dict[str, float] = {}
    for rung, metrics in climb.evaluation.metrics.items():
        for metric, estimate in metrics.items():
            bounds = {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
            flat |= {f"{rung}/{name}": value for name, value in bounds.items()}
            flat |= bounds if rung == climb.choice.name else {}
    return flat


class _Ticks:
    """Counts steps, so that those who do the work need not know how many there are."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, what: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, what)

    def last(self, what: str) -> None:
        """The final step, whatever was left out on the way (a rung with too few labels)."""
        self._done = self._total - 1
        self(what)
