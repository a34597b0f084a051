"""The kinds of target, and what each says of an account; the one place where they are listed."""

from typing import Literal, get_args

AnswerKind = Literal["probability", "amount", "days"]
"""A calibrated probability, an expected amount, or the days until something happens."""

Kind = Literal["churn", "contract_churn", "contraction", "upsell", "cross_sell", "value", "next_order"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`training.data.targets` says what each means, and is not imported before it is needed."""

CHURN: Literal["churn"] = "churn"
CONTRACT_CHURN: Literal["contract_churn"] = "contract_churn"
CONTRACTION: Literal["contraction"] = "contraction"
UPSELL: Literal["upsell"] = "upsell"
CROSS_SELL: Literal["cross_sell"] = "cross_sell"
VALUE: Literal["value"] = "value"
NEXT_ORDER: Literal["next_order"] = "next_order"

RISKS = (CHURN, CONTRACT_CHURN, CONTRACTION)
"""The kinds by which something is lost: they put value at stake, and an intervention can keep a share of it."""
LEAVING = (CHURN, CONTRACT_CHURN)
"""The risks whose label says that an account left."""
GROWTH = (UPSELL, CROSS_SELL)
"""The kinds by which something is won, so that an intervention can win more of it."""
WITH_PROBABILITY = (*RISKS, *GROWTH)
"""The kinds whose models answer with a probability."""
