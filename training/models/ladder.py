"""The ladder of each target: rule, buying model, regression, trees. Each rung must earn its place over the one below."""

from collections.abc import Sequence

from registry import target_kinds
from training.data.targets import Target
from training.models import amounts, next_order
from training.models.boosting import BoostedRung
from training.models.buying import BUYING_FEATURES, BuyingRung
from training.models.calibration import PROBABILITIES, Task
from training.models.linear import LinearRung
from training.models.rules import BASELINES, CONTRACT_FEATURES, LOG_RFM_FEATURES
from training.models.rung import Rung


def task_for(target: Target) -> Task:
    """How margins of the target's models become answers, and how answers are judged."""
    if target.answer == "amount":
        return amounts.AMOUNTS
    return next_order.Days(target.horizon_days) if target.answer == "days" else PROBABILITIES


def ladder(features: Sequence[str], target: Target) -> tuple[Rung, ...]:
    """The rungs for a target, simplest first; the first is the baseline. `features` names those that the trees may use."""
    rungs = {"amount": amounts.ladder, "days": next_order.ladder, "probability": _probabilities}[target.answer]
    return rungs(features, target)


def _probabilities(features: Sequence[str], target: Target) -> tuple[Rung, ...]:
    name, rule = BASELINES[target.kind]
    known = (*LOG_RFM_FEATURES, *CONTRACT_FEATURES) if target.stream == "contracts" else LOG_RFM_FEATURES
    rungs: list[Rung] = [LinearRung(name, rule, needs_accounts=10)]
    if target.kind == target_kinds.CHURN:
        rungs.append(BuyingRung("bgnbd", BUYING_FEATURES, 40, target.horizon_days))
    rungs.append(LinearRung("logistic", tuple(dict.fromkeys([*known, *rule])), needs_accounts=10))
    return (*rungs, BoostedRung("lightgbm", tuple(features), needs_accounts=200))
