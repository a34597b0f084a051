"""The rung of BG/NBD: the rhythm of the orders alone."""

from dataclasses import asdict, dataclass

import numpy as np

from training.data.dataset import Dataset
from training.models.bgnbd import Buying
from training.models.bgnbd import fit as fit_bgnbd
from training.models.rung import AsItIs, Fitted

BUYING_FEATURES = ("purchases_orders_distinct", "purchases_days_since_first", "purchases_days_since_last")


@dataclass(frozen=True)
class BuyingRung(AsItIs):
    """BG/NBD: the rhythm in which accounts buy and the chance that they have stopped, from nothing but their orders.

    It learns from histories and not from labels: from those of the newest date, because each holds the older ones.
    """

    name: str
    features: tuple[str, ...]
    needs_accounts: int
    horizon_days: float

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the search begins at one point."""
        rows = data.columns(self.features)[data.as_of == data.as_of.max()]
        orders, first, last = np.maximum(rows[~np.isnan(rows).any(axis=1)], 0.0).T
        rhythm = fit_bgnbd(Buying.of(np.maximum(orders - 1.0, 0.0), np.maximum(first - last, 0.0), first))
        reference = [float(np.median(column)) for column in (orders, first, last)]
        return Fitted(
            self.name, self.features, buying={**asdict(rhythm), "horizon": self.horizon_days, "reference": reference}
        )
