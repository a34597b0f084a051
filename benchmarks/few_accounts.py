"""What training ends with when a company has few accounts, on real data cut down by a hash of the account.

Of every cut the ladder sees the few accounts alone, as of three moments. What it chose is then judged on all the other
accounts at the same test date, beside the pooled rate: the churn rate of those few by then, for everybody. Run:
`.venv/bin/python benchmarks/few_accounts.py [ACCOUNTS] [CUTS]`.
"""

import sys
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from data import Absent, data_file

from features.catalog import CATALOG
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from training.data.coverage import known_at
from training.data.dataset import Dataset, labelled
from training.data.splits import Split, as_of_dates, split
from training.data.targets import ChurnTarget
from training.evaluation.selection import Climb, NotEnoughLabels, climb_ladder
from training.metrics.probabilities import log_losses, measure
from training.models.boosting import informative, learnable
from training.models.ladder import ladder

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
CDNOW = """
    select customer_id::text as account_id, date as occurred_at, n_cds as quantity, amount,
           (row_number() over (order by customer_id, date, n_cds, amount))::text as event_id
    from source
"""
RETAIL = """
    select "Customer ID"::text as account_id, InvoiceDate as occurred_at, Invoice as order_id, Quantity as quantity,
           Quantity * Price as amount
    from source where "Customer ID" is not null and not starts_with(Invoice, 'A')
"""


@dataclass(frozen=True)
class Company:
    """Real purchases, the newest moment to train at, and what churn means there."""

    name: str
    path: str
    select: str
    newest: datetime
    target: ChurnTarget


COMPANIES = (
    Company(
        "CDNOW", "cdnow/CDNOW_master.parquet", CDNOW, datetime(1998, 6, 30, tzinfo=UTC), ChurnTarget("churn", 60, 180)
    ),
    Company(
        "Online Retail",
        "online_retail/online_retail.parquet",
        RETAIL,
        datetime(2011, 5, 31, tzinfo=UTC),
        ChurnTarget("churn", 60, 365),
    ),
)


@dataclass(frozen=True)
class Cut:
    """How one training on few accounts ended."""

    rung: str
    test_positives: int
    loss: float
    """Mean log loss of the chosen model on all other accounts, NaN if there was none."""
    pooled: float
    """The same of the pooled rate."""
    auroc: float
    lowest: float
    highest: float
    covered: dict[str, bool]
    """Whether each metric's interval, from the few accounts, holds the value on all others."""
    width: dict[str, float]


def main(accounts: int, cuts: int) -> None:
    """Print a block for every company."""
    for company in COMPANIES:
        try:
            with tempfile.TemporaryDirectory() as folder:
                data, dates = load(company, Path(folder))
        except Absent as absent:
            print(f"{company.name} is left out: {absent}")
            continue
        ended = [
            climbed(data, split(dates[: len(dates) - back], company.target.horizon), company.target, accounts, cut)
            for back in (0, 1, 2)
            for cut in range(cuts)
        ]
        report(company.name, ended)


def load(company: Company, folder: Path) -> tuple[Dataset, tuple[datetime, ...]]:
    """Features and labels of every account at every date that `foresail train` would have used."""
    history = History(folder / "history")
    source = Source("orders", "purchases", str(data_file(company.path)), select=company.select)
    ingest(history, source, as_of=company.newest.replace(year=2026), timezone="UTC", earliest=LONG_AGO)
    first = known_at(history, company.newest).first
    every, least = timedelta(days=30), timedelta(days=90)
    dates = as_of_dates(company.newest, company.target.horizon, every, 12, first, least)
    return labelled(history, company.target, dates, CATALOG, company.newest), dates


def climbed(data: Dataset, days: Split, target: ChurnTarget, accounts: int, cut: int) -> Cut | str:
    """Train on the accounts whose hash comes first in this cut; the reason in words if that is refused."""
    few = rows(data, drawn(data.account_id, accounts, cut))
    names, _ = learnable(CATALOG, days.closed)
    seen = few.at(days.closed)
    try:
        climb = climb_ladder(
            ladder(informative(seen, names), target),
            seen,
            days,
            target,
            cut,
            lambda _: None,
        )
    except NotEnoughLabels as error:
        return str(error)
    return judged(climb, few, rows(data, ~np.isin(data.account_id, few.account_id)).at([days.test]), days)


def drawn(account_id, accounts: int, cut: int):
    """True for the rows of those accounts whose hash is among the lowest in this cut."""
    ids = np.unique(account_id)
    order = sorted(ids, key=lambda one: zlib.crc32(f"{cut}/{one}".encode()))
    return np.isin(account_id, order[:accounts])


def rows(data: Dataset, wanted) -> Dataset:
    """These rows alone."""
    return replace(
        data, matrix=data.matrix[wanted], labels=data.labels[wanted], account_id=data.account_id[wanted],
        account=data.account[wanted], as_of=data.as_of[wanted],
    )  # fmt: skip


def judged(climb: Climb, few: Dataset, others: Dataset, days: Split) -> Cut:
    winner = climb.winner
    probability = winner.calibration.probability(winner.fitted.margin(others))
    learnt = few.at(days.train).labels
    pooled = np.full(len(others), (learnt.sum() + 0.5) / (len(learnt) + 1.0))
    truth = {name: float(value[0]) for name, value in measure(probability, others.labels).items()}
    estimates = climb.evaluation.metrics[climb.choice.name]
    return Cut(
        climb.choice.name,
        int(winner.margins.labels.sum()),
        float(log_losses(probability, others.labels).mean()),
        float(log_losses(pooled, others.labels).mean()),
        truth["auroc"],
        float(probability.min()),
        float(probability.max()),
        {name: bool(each.low <= truth[name] <= each.high) for name, each in estimates.items()},
        {name: each.high - each.low for name, each in estimates.items()},
    )


def report(name: str, ended: list[Cut | str]) -> None:
    refused, cuts = [one for one in ended if isinstance(one, str)], [one for one in ended if isinstance(one, Cut)]
    rungs = dict(Counter(cut.rung for cut in cuts))
    print(f"{name}: {len(ended)} trainings, {len(refused)} refused, chosen: {rungs}")
    if refused:
        print(f"  refused: {refused[0]}")
    if not cuts:
        return
    gain = np.array([cut.loss - cut.pooled for cut in cuts])
    print(f"  log loss on all others {np.mean([cut.loss for cut in cuts]):.4f}, pooled rate {np.mean([cut.pooled for cut in cuts]):.4f}; "
          f"difference {gain.mean():+.4f} ± {1.96 * gain.std(ddof=1) / len(gain) ** 0.5:.4f} (cuts as units), "
          f"worst {gain.max():+.4f}, worse than pooled in {np.mean(gain > 1e-9):.0%}")  # fmt: skip
    print(f"  AUROC on all others {np.nanmean([cut.auroc for cut in cuts]):.3f}; probabilities {min(cut.lowest for cut in cuts):.4f} "
          f"to {max(cut.highest for cut in cuts):.4f}; positives at the test {min(cut.test_positives for cut in cuts)} to "
          f"{max(cut.test_positives for cut in cuts)}")  # fmt: skip
    for metric in ("log_loss", "auroc", "brier"):
        held, width = np.mean([cut.covered[metric] for cut in cuts]), np.nanmean([cut.width[metric] for cut in cuts])
        print(f"  95 % interval of {metric}: holds the value on all others in {held:.0%}, mean width {width:.3f}")


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], *("50", "20")[len(sys.argv) - 1 :]]))
