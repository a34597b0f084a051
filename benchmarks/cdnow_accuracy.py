"""The ladder on CDNOW's master file under a fixed protocol, beside the figures that rivals reached under it.

All 23,570 accounts are eligible; churned = no purchase in (as_of, as_of + 90 days]; learnt at four dates of 1997,
judged once at 1998-01-01. Run: `.venv/bin/python benchmarks/cdnow_accuracy.py [CDNOW_master.parquet [BUDGET]]`;
with a budget such as 3m the settings of the trees are searched for so long.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from features.catalog import CATALOG
from features.history import History
from features.ingest import Source, ingest
from foresail.workflow import budget
from training.dataset import labelled
from training.models import ladder, learnable
from training.selection import climb_ladder
from training.splits import split
from training.targets import ChurnTarget
from training.tuning import search_notes, with_search

MASTER = Path(__file__).resolve().parents[2] / "shared/data/cdnow/CDNOW_master.parquet"
SELECT = """
    select customer_id::text as account_id, date as occurred_at, n_cds as quantity, amount,
           (row_number() over (order by customer_id, date, n_cds, amount))::text as event_id
    from source
"""
DATES = [datetime(1997, month, day, tzinfo=UTC) for month, day in ((6, 30), (7, 31), (8, 31), (9, 30))]
TEST, CLOSES = datetime(1998, 1, 1, tzinfo=UTC), datetime(1998, 4, 1, tzinfo=UTC)
TARGET = ChurnTarget("churn", horizon_days=90, active_within_days=None)
RIVALS = {
    "recency": (0.7934, 0.5407),
    "BG/NBD": (0.7984, 0.3514),
    "logistic on log RFM": (0.8056, 0.3463),
    "LightGBM on windows": (0.8071, 0.3499),
    "LightGBM with BG/NBD": (0.8068, 0.3499),
}


def main(master: Path, duration: str | None) -> None:
    """Print one line a model."""
    with tempfile.TemporaryDirectory() as folder:
        data = load(master, Path(folder))
    started = time.perf_counter()
    names, _ = learnable(CATALOG, [*DATES, TEST])
    days = split([*DATES, TEST], TARGET.horizon)
    rungs = with_search(ladder(names, TARGET), budget(duration, None), None)
    climb = climb_ladder(rungs, data, days, TARGET, seed=0, ticks=print)
    print(*search_notes(climb.rungs, None), sep="\n")
    print(f"{len(data):,} rows, {climb.evaluation.churned:,} of {climb.evaluation.rows:,} churned at {TEST:%Y-%m-%d}")
    print(f"{'':24}{'AUROC':>26}{'log loss':>28}")
    for name, (auroc, log_loss) in RIVALS.items():
        print(f"{name + ' (rival)':24}{auroc:>10.4f}{log_loss:>28.4f}")
    for rung, metrics in climb.evaluation.metrics.items():
        print(f"{'foresail ' + rung:24}{metrics['auroc']!s:>26}{metrics['log_loss']!s:>28}")
    print(f"chosen on the folds: {climb.choice.reason}")
    print(f"{time.perf_counter() - started:.1f} s for choosing, fitting and judging")


def load(master: Path, folder: Path):
    """Ingest the file into a throwaway history, and take features and labels from it."""
    history = History(folder / "history")
    source = Source("cdnow", "purchases", str(master), select=SELECT)
    print(
        ingest(
            history, source, as_of=CLOSES.replace(year=1999), timezone="UTC", earliest=datetime(1990, 1, 1, tzinfo=UTC)
        )
    )
    return labelled(history, TARGET, [*DATES, TEST], CATALOG, known_by=CLOSES)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MASTER, sys.argv[2] if len(sys.argv) > 2 else None)
