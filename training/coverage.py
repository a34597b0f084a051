"""From when to when purchases are known: labels beyond that would call everybody churned."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from features.catalog import named
from features.history import History
from features.table import build_feature_table
from training.moments import in_utc
from training.splits import NotEnoughHistory

SILENT_SHARE = 0.25


class StaleHistory(ValueError):
    """Purchases end so long before a horizon closes that silence would be mistaken for churn."""


@dataclass(frozen=True)
class PurchasesKnown:
    """When the oldest and the newest purchase of all accounts occurred, among those known at a moment."""

    first: datetime
    newest: datetime

    def reaches(self, closes: datetime, horizon: timedelta) -> None:
        """StaleHistory if the last quarter of the horizon or more is without a purchase of anybody."""
        if closes - self.newest > SILENT_SHARE * horizon:
            raise StaleHistory(
                f"the newest purchase of any account is of {self.newest:%Y-%m-%d %H:%M}, but the horizon of {horizon.days} days "
                f"closes on {closes:%Y-%m-%d %H:%M}: every account would look churned. Ingest what came since, or take an "
                f"earlier moment (to train: as of {self.newest:%Y-%m-%d}; to evaluate: as of {self.newest - horizon:%Y-%m-%d})."
            )


def purchases_known(history: History, moment: datetime) -> PurchasesKnown:
    """What purchases are known at a moment; NotEnoughHistory if there are none."""
    moment = in_utc(moment)
    table = build_feature_table(history, moment, named(["purchases_days_since_first", "purchases_days_since_last"]))
    oldest, newest = table["purchases_days_since_first"].max(), table["purchases_days_since_last"].min()
    if not oldest >= 0:
        raise NotEnoughHistory(
            f"no purchase is known at {moment.isoformat()}; ingest purchases, or take a later moment"
        )
    return PurchasesKnown(moment - timedelta(days=float(oldest)), moment - timedelta(days=float(newest)))
