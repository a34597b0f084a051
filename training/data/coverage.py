"""From when to when a stream is known: labels beyond that would call everybody churned."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.catalog import named
from features.engine.table import build_feature_table
from features.errors import ExitCode, ForesailError
from features.history.store import History
from features.timestamps import in_utc
from training.data.splits import NotEnoughHistory

SILENT_SHARE = 0.25


class StaleHistory(ForesailError, ValueError):
    """Purchases end so long before a horizon closes that silence would be mistaken for churn."""

    exit_code = ExitCode.MODEL


@dataclass(frozen=True)
class Known:
    """When the oldest and the newest event of all accounts occurred, among those known at a moment."""

    first: datetime
    newest: datetime

    def reaches(self, closes: datetime, horizon: timedelta) -> None:
        """StaleHistory if the last quarter of the horizon or more is without a purchase of anybody."""
        if closes - self.newest > SILENT_SHARE * horizon:
            raise StaleHistory(
                f"the newest purchase of any account is of {self.newest:%Y-%m-%d %H:%M}, but the horizon of {horizon.days} days "
                f"closes on {closes:%Y-%m-%d %H:%M}: every account would look churned",
                "Ingest what came since, or take an "
                f"earlier moment (to train: as of {self.newest:%Y-%m-%d}; to evaluate: as of {self.newest - horizon:%Y-%m-%d}).",
            )


def known_at(history: History, moment: datetime, stream: str = "purchases") -> Known:
    """What purchases, or contracts, are known at a moment; NotEnoughHistory if there are none.

    Contracts speak seldom, and the silence of them all means nothing: they count as known up to the moment.
    """
    moment = in_utc(moment)
    oldest, newest = _OLDEST_AND_NEWEST[stream]
    table = build_feature_table(history, moment, named([oldest] if newest is None else [oldest, newest]))
    first = table[oldest].max()
    if not first >= 0:
        raise NotEnoughHistory(
            f"no {stream[:-1]} is known at {moment.isoformat()}", f"Ingest {stream}, or take a later moment"
        )
    silent = 0.0 if newest is None else float(table[newest].min())
    return Known(moment - timedelta(days=float(first)), moment - timedelta(days=silent))


_OLDEST_AND_NEWEST: Mapping[str, tuple[str, str | None]] = {
    "purchases": ("purchases_days_since_first", "purchases_days_since_last"),
    "contracts": ("contracts_days_since_first", None),
}
"""The features that tell it."""
