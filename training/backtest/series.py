"""A backtest at many past moments: quality over time, and how long before a loss the model had warned of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog import CATALOG, named
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_table
from features.errors import ExitCode, ForesailError
from features.history.store import History
from features.percentiles import percentile_in
from features.progress import Progress
from features.timestamps import in_utc
from registry.card import ModelCard
from registry.versions import ModelVersion, load_alias
from training.backtest.backtest import refuse_other_features, seen_of
from training.data.coverage import Known, StaleHistory, known_at
from training.data.targets import HorizonOpen, Target, target_from
from training.evaluation.comparison import Evaluation, judge
from training.reports import plots, report

SINCE_LAST = "purchases_days_since_last"
DATES_AT_ONCE = 8  # a table of all dates would hold accounts × dates × features at once
REPLICATES = 200
MODEL, BASELINE = "model", "baseline"
PICTURED = ("log_loss", "auroc")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Point:
    """The model at one date: metrics of "model" and "baseline", and how its high band fared."""

    as_of: datetime
    seen: str
    """How much of the horizon the model's training knew: "", "part of" or "all of" it. Only "" is a fair test."""
    evaluation: Evaluation
    foreseen: float
    happened: float
    high: int
    high_churned: int


@dataclass(frozen=True)
class Loss:
    """An account that fell silent: it is lost at its last order + horizon, the first moment at which it counts as churned.

    `warned_at`: the first date of the unbroken run in the high band that reaches to the last scored date before the loss;
    None if it was not in the high band then.
    """

    account_id: str
    last_order: datetime
    lost_at: datetime
    warned_at: datetime | None
    withdrawn: bool
    """In the high band at an earlier date of the record, but not at the last one before the loss."""
    at_least: bool
    """Warned at the first date on which the record scored it: the warning may be older than can be told."""

    @property
    def lead_days(self) -> float:
        """Days from the warning to the loss; NaN if there was none."""
        return (self.lost_at - self.warned_at) / DAY if self.warned_at else float("nan")


@dataclass(frozen=True)
class BacktestSeries:
    """Quality over time, oldest first, and the losses within the record."""

    version: int
    rung: str
    baseline: str
    trained_as_of: datetime
    horizon_days: int
    points: tuple[Point, ...]
    losses: tuple[Loss, ...]
    """Those whose silence began within the record; of churn alone, where silence has a beginning."""
    notes: tuple[str, ...]
    report_path: Path | None = None

    @property
    def warned(self) -> tuple[Loss, ...]:
        """The losses that were warned of."""
        return tuple(loss for loss in self.losses if loss.warned_at)

    @property
    def lead(self) -> Mapping[str, float | int | None]:
        """Counts of losses, and quartiles of the days between warning and loss, over those warned of (None if none)."""
        days = [loss.lead_days for loss in self.warned]
        quartiles = np.quantile(days, [0.25, 0.5, 0.75]).tolist() if days else [None] * 3
        return {
            "lost": len(self.losses),
            "warned": len(days),
            "withdrawn": sum(loss.withdrawn for loss in self.losses),
            "never": sum(not loss.withdrawn and not loss.warned_at for loss in self.losses),
            "before_the_last_order": sum(
                bool(loss.warned_at and loss.warned_at <= loss.last_order) for loss in self.losses
            ),
            "at_least": sum(loss.at_least for loss in self.losses),
            **dict(zip(("lower_quartile_days", "median_days", "upper_quartile_days"), quartiles, strict=True)),
        }


class NotRecorded(ForesailError, ValueError):
    """A record over many dates is not kept of such a target."""

    exit_code = ExitCode.MODEL


def dates_between(first: datetime, last: datetime, every_days: int) -> tuple[datetime, ...]:
    """From `first` on in steps of elapsed days, `last` included if a step meets it; ValueError if there is none."""
    first, last = in_utc(first), in_utc(last)
    if last < first:
        raise ValueError(f"the record would end on {last:%Y-%m-%d}, before it begins on {first:%Y-%m-%d}")
    return tuple(first + step * every_days * DAY for step in range((last - first) // (every_days * DAY) + 1))


def evaluate_series(  # noqa: PLR0913  # all but two are given by name
    history: History,
    dates: Sequence[datetime],
    *,
    name: str,
    tracking_uri: str,
    known_by: datetime,
    seed: int = 0,
    report_to: Path | None = None,
    catalog: FeatureSet = CATALOG,
    progress: Progress | None = None,
) -> BacktestSeries:
    """What the champion would have said at each date whose horizon has closed by `known_by`, beside what happened.

    Every date sees what was known then; labels, and who was lost when, what was known by `known_by`. Dates that cannot be
    judged yet are left out and noted; HorizonOpen if that leaves none. NoModel, OtherFeatures as `backtest.evaluate`.
    """
    model = load_alias(tracking_uri, name)
    card, version = model.card, model.version
    for recipe in (card, model.baseline_recipe):
        refuse_other_features(recipe, name, version, catalog)
    target, history = target_from(card.target.to_json()), history.at(history.versions())
    if target.answer != "probability":
        raise NotRecorded(
            f"'{target.name}' answers with {target.answer}; a record over many dates is kept of probabilities alone"
        )
    closed, notes = _closed(history, sorted(map(in_utc, dates)), target, in_utc(known_by))
    rows = _scored(history, closed, model, target, in_utc(known_by), catalog, progress)
    points = tuple(_points(rows, closed, card, target, seed))
    record = BacktestSeries(
        version,
        card.rung,
        model.baseline_recipe.rung,
        card.trained_as_of,
        target.closes_after.days,
        points,
        tuple(losses(rows, target.closes_after, closed[0])) if target.kind == "churn" else (),
        (*notes, *_fairness(points)),
        report_to,
    )
    report.write(_page(record, f"{card.project} · {target.name}"), report_to)
    return record


def losses(rows: pd.DataFrame, horizon: timedelta, since: datetime) -> Iterator[Loss]:
    """Every loss among scored rows whose silence began at `since` or later, by account, oldest first.

    A silence that was under way when the record began is left out: when it was first warned of cannot be told.

    `rows`: one row per (account_id, as_of) scored: columns account_id, as_of, last_order (the latest order up to as_of),
    high (bool, in the high band) and churned (1.0, 0.0). An account that comes back and falls silent again is lost twice.
    """
    silences = rows.loc[(rows["churned"] == 1.0) & (rows["last_order"] >= since), ["account_id", "last_order"]]
    scored_rows = rows[rows["account_id"].isin(set(silences["account_id"]))].sort_values(["account_id", "as_of"])
    begun = silences.drop_duplicates().sort_values("last_order").groupby("account_id")["last_order"]
    for account, scored in scored_rows.groupby("account_id", sort=False):
        silent = begun.get_group(account)
        yield from (_loss(str(account), last_order, scored, horizon) for last_order in silent)


def _loss(account: str, last_order: pd.Timestamp, scored: pd.DataFrame, horizon: timedelta) -> Loss:
    lost_at = last_order + horizon
    before = scored[scored["as_of"] < lost_at]
    high, dates = before["high"].to_numpy(dtype=bool), before["as_of"]
    run = (
        len(high) if high.all() else int(np.argmin(high[::-1]))
    )  # how many of the last dates, unbroken, in the high band
    warned_at = dates.iloc[-run].to_pydatetime() if run else None
    return Loss(
        account,
        last_order.to_pydatetime(),
        lost_at.to_pydatetime(),
        warned_at,
        withdrawn=not run and bool(high.any()),
        at_least=bool(run) and run == len(high),
    )


def _closed(
    history: History, dates: Sequence[datetime], target: Target, known_by: datetime
) -> tuple[list[datetime], tuple[str, ...]]:
    known = known_at(history, known_by, target.stream)
    closed = [date for date in dates if target.closed(date, known_by) and _reached(known, date, target)]
    if not closed:
        newest = min(known_by, known.newest) - target.closes_after
        raise HorizonOpen(
            f"target '{target.name}': no horizon of {target.horizon_days} days after {dates[0]:%Y-%m-%d} or later has closed by what "
            f"is known; the newest date to be judged is {newest:%Y-%m-%d}"
        )
    left_out = len(dates) - len(closed)
    note = (
        f"{left_out} of {len(dates)} dates are left out: their horizon has not closed, or purchases end before it does"
    )
    return closed, (note,) if left_out else ()


def _reached(known: Known, date: datetime, target: Target) -> bool:
    try:
        known.reaches(date + target.closes_after, target.closes_after)
    except StaleHistory:
        return False
    return True


def _scored(
    history: History,
    dates: Sequence[datetime],
    model: ModelVersion,
    target: Target,
    known_by: datetime,
    catalog: FeatureSet,
    progress: Progress | None,
) -> pd.DataFrame:
    """Eligible accounts of all dates: account_id, as_of, the probabilities, high, churned, last_order."""
    parts = []
    for first in range(0, len(dates), DATES_AT_ONCE):
        some = dates[first : first + DATES_AT_ONCE]
        parts.append(_answers(history, some, model, target, catalog))
        if progress:
            progress(min(first + DATES_AT_ONCE, len(dates)), len(dates))
    answers = pd.concat(parts)
    happened = target.labels(history, dates, known_by).rename("churned")
    since = build_feature_table(history, dates, named([SINCE_LAST]), leak_until=known_by)[SINCE_LAST]
    rows = answers.join(happened).join(since).reset_index()
    since_last = pd.to_timedelta(rows[SINCE_LAST], unit="D")  # of fractions of days, which lose the last microsecond
    rows["last_order"] = (rows["as_of"] - since_last).dt.round("s")
    return rows.drop(columns=SINCE_LAST)


def _answers(
    history: History, dates: Sequence[datetime], model: ModelVersion, target: Target, catalog: FeatureSet
) -> pd.DataFrame:
    names = list(dict.fromkeys([*model.features, *model.baseline.features]))
    needed = {feature.name: feature for feature in (*named(names, catalog), *target.population.features)}
    table = build_feature_table(history, dates, needed.values())
    table = table[target.population.eligible(table)]
    ours, theirs = (scorer.answers(table[list(scorer.features)].to_numpy()) for scorer in (model, model.baseline))
    rank = percentile_in(np.asarray(model.card.reference.scores), ours)
    return pd.DataFrame({MODEL: ours, BASELINE: theirs, "high": rank >= target.band_high}, index=table.index)


def _points(
    rows: pd.DataFrame, dates: Sequence[datetime], card: ModelCard, target: Target, seed: int
) -> Iterator[Point]:
    for date in dates:
        at = rows[rows["as_of"] == date]
        if len(at):
            yield _point(at, date, seen_of(card, date, target), seed)


def _point(at: pd.DataFrame, date: datetime, seen: str, seed: int) -> Point:
    churned: NDArray[np.float64] = at["churned"].to_numpy()
    both = {name: at[name].to_numpy() for name in (BASELINE, MODEL)}
    evaluation = judge(both, churned, np.arange(len(at)), baseline=BASELINE, replicates=REPLICATES, seed=seed)
    high = at["high"].to_numpy(dtype=bool)
    return Point(
        date,
        seen,
        evaluation,
        float(both[MODEL].mean()),
        float(churned.mean()),
        int(high.sum()),
        int(churned[high].sum()),
    )


def _fairness(points: Sequence[Point]) -> tuple[str, ...]:
    seen = sum(bool(point.seen) for point in points)
    if not seen:
        return ()
    return (
        f"{seen} of {len(points)} dates are no fair test: the model's training had seen their horizon, all or part of it",
    )


def _page(record: BacktestSeries, title: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(report.TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("backtest_series.html").render(record=record, title=title, picture=picture(record))


def picture(record: BacktestSeries) -> str:
    """Log loss and AUROC of model and baseline over the dates, as SVG."""
    titles = {"log_loss": "log loss (lower is better)", "auroc": "AUROC (higher is better)"}
    courses = {
        titles[metric]: (_course(record, MODEL, metric), _course(record, BASELINE, metric)) for metric in PICTURED
    }
    dates, seen = [point.as_of for point in record.points], [bool(point.seen) for point in record.points]
    return plots.quality_over_time(dates, seen, courses, (record.rung, f"{record.baseline} (baseline)"))


def _course(record: BacktestSeries, name: str, metric: str) -> plots.Course:
    estimates = [point.evaluation.metrics[name][metric] for point in record.points]
    return plots.Course(
        *(np.array([getattr(estimate, key) for estimate in estimates]) for key in ("value", "low", "high"))
    )
