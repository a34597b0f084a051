"""The simple rules that a model must beat, the few features of the simple models, and the pooled rate below them all."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.data.dataset import Dataset
from training.models import shrinkage
from training.models.linear import linear_term
from training.models.rung import AsItIs, Fitted

BASELINES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "churn": ("recency", ("purchases_days_since_last",)),
    "contract_churn": ("term", ("contracts_days_left_min",)),
    "contraction": ("trend", ("purchases_amount_trend_90d",)),
    "upsell": ("trend", ("purchases_amount_trend_90d",)),
    "cross_sell": ("breadth", ("purchases_categories_distinct_365d",)),
}
"""By kind of target, the rule that a model must beat: its name, and the one feature that it looks at."""

CONTRACT_FEATURES = ("contracts_days_left_min", "contracts_days_since_first", "contracts_renewed_count")

LOG_RFM_FEATURES = (
    "purchases_days_since_last",
    "purchases_days_since_first",
    "purchases_orders_distinct_365d",
    "purchases_orders_distinct",
    "purchases_amount_sum_365d",
    "purchases_amount_sum",
)


@dataclass(frozen=True)
class PooledRung(AsItIs):
    """One probability for every account: the pooled rate, for companies that cannot carry even the recency rule.

    It names the feature of that rule, with a weight of 0, so that whoever reads the model finds what it would look at.
    """

    name: str = "pooled"
    features: tuple[str, ...] = BASELINES["churn"][1]
    needs_accounts: int = 3

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: nothing is drawn."""
        terms = [linear_term(feature, 0.0, 1.0, 0.0, 0.0) for feature in self.features]
        return Fitted(self.name, self.features, {"intercept": shrinkage.rate_log_odds(data.labels), "terms": terms})
