"""Train a target as of a moment T: what became known after T is invisible, to features and to labels alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from features.catalog import CATALOG
from features.engine.plan import FeatureSet
from features.history.store import History
from features.progress import StepProgress
from features.timestamps import in_utc
from registry import writer
from registry.card import FORMAT, ModelCard, Recipe
from registry.versions import scorer
from training.card import Origin, Recipes, describe
from training.data.coverage import known_at
from training.data.dataset import Dataset, labelled, unlabelled
from training.data.leakage import Suspect, suspects, telling
from training.data.splits import Split, as_of_dates, split
from training.data.targets import Target
from training.evaluation.comparison import Evaluation
from training.evaluation.drivers import drivers
from training.evaluation.examples import ReasonWriter
from training.evaluation.profit import NOTHING_GIVEN, Campaign
from training.evaluation.selection import Climb, NotEnoughLabels, Refitted, climb_ladder, refit
from training.evaluation.summary import Judged, Summary, groups_at, summarise
from training.models.boosting import informative, learnable
from training.models.calibration import Calibration
from training.models.ladder import ladder, task_for
from training.models.rung import Fitted
from training.models.tuning import Budget, search_files, search_notes, search_parameters, with_search
from training.reports import model_card, report


@dataclass(frozen=True)
class Settings:
    """At most `dates` as_of dates, `every_days` apart, none with less than `min_history_days` of history before it."""

    every_days: int = 30
    dates: int = 12
    min_history_days: int = 90
    half_life_days: float | None = None
    """After so long a date counts half as much in what is learnt; None: all alike."""


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
    summary: Summary
    """What the chosen rung's probabilities on the test date are worth, and its grade."""
    notes: tuple[str, ...]
    """What could not be done as usual, and why."""
    card: ModelCard
    report_path: Path | None


def train(  # noqa: PLR0913  # all but three are given by name
    history: History,
    target: Target,
    as_of: datetime,
    *,
    project: str,
    tracking_uri: str,
    settings: Settings | None = None,
    seed: int = 0,
    report_to: Path | None = None,
    progress: StepProgress | None = None,
    catalog: FeatureSet = CATALOG,
    budget: Budget | None = None,
    campaign: Campaign = NOTHING_GIVEN,
    reason_writer: ReasonWriter | None = None,
) -> TrainingResult:
    """Fit, choose, judge, register and report one target.

    `catalog` is what there is to learn from: with a company's own features, what `features.catalog.custom` made of them.
    With a `budget` the settings of the trees are searched within it; without, they are the defaults.
    `campaign` is what the company said of costs and capacity. With `reason_writer`, which puts contributions into words,
    the report shows a few accounts. `project` is the slug that begins the registered name. NotEnoughHistory, StaleHistory and NotEnoughLabels say
    what there is, what is needed and what to do; NoModel that the model store cannot be opened; ValueError that the seed
    is negative or as_of naive. The report goes to MLflow and, if given, to the file `report_to`.
    """
    _refuse_negative(seed)
    as_of, settings = in_utc(as_of), settings or Settings()
    history = history.at(history.versions())  # an ingest in the middle must not change what is read
    days = split_for(history, target, as_of, settings)
    _refuse_nobody(history, target, as_of)
    writer.open_store(tracking_uri)
    ticks = _Ticks(len(days.closed) + 2 * len(ladder((), target)) + 4, progress)
    origin = Origin(project, target, as_of, days, history.versions(), seed, catalog)
    data, today = _rows(history, origin, settings, ticks)
    ticks("looking for leaks")
    # The test's labels have no part in it: what it finds may lead to a choice.
    leaks = _leaks(data.at(days.train), today, target, seed)
    climb = _climbed(origin, data, leaks, budget, ticks, progress)
    ticks("what it is worth, and where it holds")
    judged = at_test(climb, data, days)
    groups = groups_at(history, days.test, judged.rows.account_id.tolist())
    summary = summarise(judged, target, campaign, groups, seed, catalog=catalog, reason_writer=reason_writer)
    final, baseline = refit(climb.winner, data, seed), refit(climb.baseline, data, seed)
    population = today.only(final.model.features)
    recipes = Recipes(final, baseline, judged.model.recipe)
    card = describe(origin, recipes, climb, data, population, leaks, summary)
    scored, moved = scored_at_test(climb, target), drivers(card, final.model.booster, population, catalog)
    page = report.of_training(card, climb.evaluation, summary, scored, moved)
    ticks.last("registering the model")
    logged = _logged(card, final.model, climb, summary, days, settings, page, scored)
    registered = writer.log_and_register(logged, tracking_uri)
    return _result(registered, card, final, climb, summary, report.write(page, report_to))


def _rows(history: History, origin: Origin, settings: Settings, ticks: "_Ticks") -> tuple[Dataset, Dataset]:
    """What there is to learn from and to judge on, and the accounts of today, without labels."""

    def built(done: int, of: int) -> None:
        ticks(f"features of date {done}/{of}")

    target, catalog, as_of = origin.target, origin.catalog, origin.as_of
    data = labelled(history, target, origin.days.closed, catalog, as_of, built, settings.half_life_days)
    ticks("features of the accounts of today")
    return data, unlabelled(history, target, as_of, catalog)


def _climbed(
    origin: Origin,
    data: Dataset,
    leaks: Sequence[Suspect],
    budget: Budget | None,
    ticks: "_Ticks",
    progress: StepProgress | None,
) -> Climb:
    """The ladder climbed, with notes of what was found before and left out."""
    names, left_out = learnable(origin.catalog, origin.days.closed)
    rungs = with_search(ladder(informative(data, names), origin.target), budget, progress)
    climb = climb_ladder(rungs, data, origin.days, origin.target, origin.seed, ticks)
    return replace(climb, notes=(*map(_suspicion, leaks), *left_out, *climb.notes, *search_notes(climb.rungs, budget)))


def _result(
    registered: writer.Registered,
    card: ModelCard,
    final: Refitted,
    climb: Climb,
    summary: Summary,
    report_path: Path | None,
) -> TrainingResult:
    return TrainingResult(
        writer.registered_name(card.project, card.target.name),
        registered.run_id,
        registered.version,
        registered.alias,
        final.model.rung,
        climb.choice.reason,
        final.calibration,
        climb.evaluation,
        summary,
        climb.notes,
        card,
        report_path,
    )


def split_for(history: History, target: Target, as_of: datetime, settings: Settings) -> Split:
    """The dates to train on as of a moment, from what the history holds by then."""
    known = known_at(history, as_of, target.stream)
    known.reaches(as_of, target.closes_after)
    every, min_history = timedelta(days=settings.every_days), timedelta(days=settings.min_history_days)
    dates = as_of_dates(as_of, target.closes_after, every, settings.dates, known.first, min_history)
    return split(dates, target.closes_after)


def _leaks(learnt: Dataset, today: Dataset, target: Target, seed: int) -> list[Suspect]:
    """What the audit finds; of amounts and days it is asked whether there was an order."""
    happened = replace(learnt, labels=task_for(target).happened(learnt.labels).astype(float))
    return suspects(happened, outcome=telling((target.kind, target.name), CATALOG.names), scored=today, seed=seed)


def _suspicion(suspect: Suspect) -> str:
    return (
        f"{suspect.column} may be a leak: {suspect.words}. Ask when it is known: if only after the outcome, give its source a known_at, "
        "or leave it out"
    )


def _refuse_negative(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"the seed is {seed}; give 0 or any larger whole number")


def _refuse_nobody(history: History, target: Target, as_of: datetime) -> None:
    """A model is registered with the scores of today's accounts to rank among; without any it could not serve."""
    if not len(unlabelled(history, target, as_of, ())):
        raise NotEnoughLabels(
            f"target '{target.name}': 0 accounts are eligible at {as_of.isoformat()} ({target.definition}), so the model would have "
            f"nobody to score or to rank among",
            "Ingest what came since, take an earlier as_of, or widen active_within_days.",
        )


def scored_at_test(climb: Climb, target: Target) -> report.Scored:
    """The test's labels beside the probabilities of the chosen rung and of the baseline."""
    winner, baseline = climb.winner, climb.baseline
    return report.Scored(
        winner.margins.labels,
        winner.answers,
        baseline.answers,
        target.answer,
        float(target.horizon_days),
        target.happened,
    )


def at_test(climb: Climb, data: Dataset, days: Split) -> Judged:
    """The test's accounts, and what was said of them by the chosen rung as it was fitted then."""
    winner = climb.winner
    parts = {"format": FORMAT, **winner.fitted.to_json(), "calibration": winner.calibration.to_json()}
    model = scorer(Recipe.from_json(parts), winner.fitted.booster)
    rung = winner.contender.rung.name
    return Judged(data.at([days.test]), winner.answers, climb.baseline.answers, model, climb.evaluation, rung)


def _logged(  # what a run is made of
    card: ModelCard,
    model: Fitted,
    climb: Climb,
    summary: Summary,
    days: Split,
    settings: Settings,
    page: str,
    scored: report.Scored,
) -> writer.Logged:
    name = writer.registered_name(card.project, card.target.name)
    parameters = {
        "target": card.target.definition,
        "trained_as_of": card.trained_as_of.isoformat(),
        "rung": model.rung,
        "calibration": card.calibration.method,
        "every_days": settings.every_days,
        "dates": settings.dates,
        "min_history_days": settings.min_history_days,
        "half_life_days": settings.half_life_days,
        "seed": card.seed,
        "features": len(model.features),
        "data_versions": str(card.data_versions),
        "fingerprint": card.fingerprint,
        "as_of_dates": ", ".join(f"{date:%Y-%m-%d}" for date in days.closed),
        "test_date": f"{days.test:%Y-%m-%d}",
        **climb.winner.contender.rung.settings,
        **search_parameters(climb.rungs),
    }
    terms = summary.profit.terms if summary.profit else None
    files = {
        "report.html": page,
        "model_card.md": model_card.markdown(card),
        **search_files(climb.rungs),
        **report.drawn_plots(scored, (model.rung, climb.evaluation.baseline), terms),
    }
    metrics = flat_metrics(climb) | summary.metrics()
    return writer.Logged(name, card, model.booster, parameters, metrics, files, climb.winner.fitted.booster)


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

    def __init__(self, total: int, progress: StepProgress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, step: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, step)

    def last(self, step: str) -> None:
        """The final step, whatever was left out on the way (a rung with too few labels)."""
        self._done = self._total - 1
        self(step)
