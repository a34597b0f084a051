"""The question of the training shape, in words that every rival's own environment understands: standard library only.

60 aggregates: 12 stats over 5 windows, for each account at each of 24 monthly dates. A column is `sum_90`; the window of
0 days reaches back to the first event.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

LAST = datetime(2024, 1, 1, tzinfo=UTC)
DATES = tuple(LAST - timedelta(days=30 * month) for month in reversed(range(24)))
WINDOWS = (30, 90, 180, 365, 730)
STATS = (
    "count", "sum", "mean", "std", "min", "max", "first", "last", "product", "quantity_sum", "quantity_max", "categories",
)  # fmt: skip
"""Of amounts where no other column is named; `product` is the sum of amount × quantity."""
ZERO_WHEN_EMPTY = ("count", "sum", "product", "quantity_sum", "categories")
"""What is 0 over no events; the others are absent."""


@dataclass(frozen=True)
class Question:
    """What a rival is asked: these stats over these windows at these dates, of the events in a Parquet file.

    The file has account_id, occurred_at (UTC), amount, quantity, category, and is sorted by account_id and occurred_at.
    `history` is the same as a history of Foresail.
    """

    events: str
    history: str
    dates: tuple[str, ...] = tuple(date.isoformat() for date in DATES)
    windows: tuple[int, ...] = WINDOWS
    stats: tuple[str, ...] = STATS

    @property
    def moments(self) -> list[datetime]:
        return [datetime.fromisoformat(date) for date in self.dates]

    @property
    def columns(self) -> list[str]:
        return [f"{stat}_{days}" for days in self.windows for stat in self.stats]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: str | Path) -> "Question":
        given = json.loads(Path(path).read_text())
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
