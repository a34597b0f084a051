"""The data sets of `accuracy.py`: real histories, two flat tables that empulse brings, and a company whose truth is known.

Of a history accounts are judged once, at a date that comes after all that anybody learnt from; flat tables have no time,
so their rows are parted at random, and the parts stand in for dates.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from data import data_file
from measure import BENCH
from peers.contest import Contest, Dates

from features.catalog import CATALOG
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from features.timestamps import read_moment
from foresail.config.project import Project, load
from foresail.demo import demo
from foresail.demo import simulated as simulated_demo
from foresail.operations.history import ingest_sources
from foresail.operations.simulation import truth_beside
from foresail.simulation.truth.tables import targets
from training.data.dataset import Dataset, labelled
from training.data.splits import Fold, Split, split
from training.data.targets import ChurnTarget
from training.train import Settings, split_for

HERE = Path(__file__).parent
PARTS, TEST_PARTS, SEED = 8, 2, 0
"""Of a flat table: eighths at random, two of which are the test; the others are folds of each other."""
CDNOW_DATES = tuple(datetime(1997, month, day, tzinfo=UTC) for month, day in ((6, 30), (7, 31), (8, 31), (9, 30)))
CDNOW_TEST, CDNOW_CLOSES = datetime(1998, 1, 1, tzinfo=UTC), datetime(1998, 4, 1, tzinfo=UTC)
CDNOW_SELECT = """
    select customer_id::text as account_id, date as occurred_at, n_cds as quantity, amount,
           (row_number() over (order by customer_id, date, n_cds, amount))::text as event_id
    from source
"""
CDNOW_RIVALS = (
    "AUROC / log loss that rivals reached: logistic on log RFM .8056 / .3463, LightGBM on windows .8071 / .3499"
)


@dataclass(frozen=True)
class Set:
    """What is contested: the rows with all labels, the test's truth where it is known, and how it is split."""

    name: str
    contest: Contest
    labels: np.ndarray
    """Of the test's rows, in their order."""
    true: np.ndarray | None = None
    """The probabilities that a simulated company really had; NaN for accounts that its truth does not know as active."""
    note: str = ""


def cdnow(folder: Path) -> Set:
    """CDNOW's master file under the fixed protocol: all 23,570 accounts, 90 days, judged at 1998-01-01."""
    file = data_file("cdnow/CDNOW_master.parquet")
    history = History(folder / "history")
    source = Source("cdnow", "purchases", str(file), select=CDNOW_SELECT)
    ingest(
        history,
        source,
        as_of=CDNOW_CLOSES.replace(year=1999),
        timezone="UTC",
        earliest=datetime(1990, 1, 1, tzinfo=UTC),
    )
    target = ChurnTarget("churn", horizon_days=90, active_within_days=None)
    return _of_history("CDNOW", folder, history, target, CDNOW_DATES, CDNOW_TEST, CDNOW_CLOSES, note=CDNOW_RIVALS)


def online_retail(folder: Path) -> Set:
    """Online Retail II, 90-day churn as of 2011-01-01."""
    file = data_file("online_retail/online_retail.parquet")
    shutil.copyfile(HERE / "online_retail.toml", folder / "foresail.toml")
    (folder / file.name).symlink_to(file)
    return _of_project("Online Retail II", folder, load(folder), "2011-01-01", "2011-06-01")


def complete_journey(folder: Path) -> Set:
    """The demo's year of shopping, as of six weeks before it ends."""
    story = demo.YEAR_OF_SHOPPING
    return _of_project("Complete Journey", folder, demo.prepare(folder), story.trained, story.ingested)


def simulated(folder: Path) -> Set:
    """The demo's simulated company, whose true probabilities say what could be reached."""
    company = folder / "company"
    settings = simulated_demo.prepare(company)
    trained = settings.end - timedelta(days=settings.truth.horizon_days)
    found = _of_project("Simulated company", folder, load(company), str(trained), str(settings.end))
    contest = found.contest
    accounts = pd.Index(contest.account_id[contest.at(contest.dates.test)])
    as_of = pd.Timestamp(contest.dates.test, unit="us", tz="UTC")
    told = targets(truth_beside(company), as_of, settings.truth.horizon_days, accounts)
    return Set(found.name, contest, found.labels, told["churn"].reindex(accounts).to_numpy())


def tv_churn(folder: Path) -> Set:
    """Empulse's TV subscriptions: 9,379 subscribers, one in twenty churned."""
    from empulse.datasets import load_churn_tv_subscriptions

    return _of_table("TV churn", folder, load_churn_tv_subscriptions(backend="pandas"))


def bank_upsell(folder: Path) -> Set:
    """Empulse's bank telemarketing: 37,931 people called, one in eight bought."""
    from empulse.datasets import load_upsell_bank_telemarketing

    return _of_table("Bank upsell", folder, load_upsell_bank_telemarketing(backend="pandas"))


SETS: dict[str, Callable[[Path], Set]] = {
    "cdnow": cdnow, "online_retail": online_retail, "complete_journey": complete_journey, "tv_churn": tv_churn,
    "bank_upsell": bank_upsell, "simulated": simulated,
}  # fmt: skip


@contextmanager
def laid_out(name: str):
    """One of SETS in a folder that is gone afterwards; Absent if its data is."""
    BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        found = SETS[name](Path(folder))
        found.contest.write()
        yield found


def _of_project(name: str, folder: Path, project: Project, as_of: str, known_by: str) -> Set:
    """Dates as `foresail train` would take them as of that moment, and the moment itself to be judged at."""
    learnt, known = (read_moment(text, project.timezone) for text in (as_of, known_by))
    ingest_sources(project, known)
    target, settings = project.target("churn"), Settings(min_history_days=project.min_history_days("churn"))
    days = split_for(project.history, target, learnt, settings)
    return _of_history(name, folder, project.history, target, days.closed, learnt, known)


def _of_history(
    name: str,
    folder: Path,
    history: History,
    target: ChurnTarget,
    dates: Sequence[datetime],
    test: datetime,
    known_by: datetime,
    note: str = "",
) -> Set:
    data = labelled(history, target, [*dates, test], CATALOG, known_by)
    (folder / "streams").mkdir()
    for stream in history.versions():
        if stream in {"purchases", "service", "engagement", "contracts"}:
            pq.write_table(history.rows_of(stream), folder / "streams" / f"{stream}.parquet")
    return _set(name, folder, data, split([*dates, test], target.horizon), target.horizon_days, note)


def _of_table(name: str, folder: Path, table) -> Set:
    """Words become one column each, the same for all contenders."""
    columns = pd.get_dummies(table.data, dtype=float).astype(float)
    rows, start = len(columns), datetime(2000, 1, 1, tzinfo=UTC)
    part = np.minimum(np.random.default_rng(SEED).integers(PARTS, size=rows), PARTS - TEST_PARTS)
    dates = [start + timedelta(days=number) for number in range(PARTS - TEST_PARTS + 1)]
    accounts = np.array([str(row) for row in range(rows)], dtype=object)
    as_of = np.array([np.datetime64(date.replace(tzinfo=None), "us") for date in dates])[part]
    labels = np.asarray(table.target, dtype=np.float64)
    data = Dataset(tuple(columns), columns.to_numpy(), labels, accounts, np.arange(rows), as_of)
    *train, test = dates
    folds = tuple(Fold(tuple(date for date in train if date != at), at) for at in train)
    return _set(name, folder, data, Split(tuple(train), folds, test, tuple(train)), 0)


def _set(name: str, folder: Path, data: Dataset, days: Split, horizon_days: float, note: str = "") -> Set:
    folds = tuple((tuple(map(_microseconds, fold.train)), _microseconds(fold.at)) for fold in days.folds)
    dates = Dates(tuple(map(_microseconds, days.train)), folds, _microseconds(days.test), horizon_days)
    as_of = data.as_of.astype("datetime64[us]").astype(np.int64)
    account_id = data.account_id.astype(str)
    contest = Contest(folder, list(data.features), data.matrix, data.labels, account_id, as_of, dates)
    return Set(name, contest, data.labels[contest.at(dates.test)], note=note)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
