"""Why a candidate was not chosen, and the words for it."""

from enum import StrEnum
from typing import NamedTuple


class WhyNot(StrEnum):
    """The reason why a candidate is not in the plan, as a sentence with {resource} and {amount}."""

    CHOSEN = "it is chosen"
    RULE_FIRST = "a rule begins another playbook for this account first"
    OTHER_PLAYBOOK = "another playbook is worth more for this account"
    NEARLY_AS_GOOD = "capacity of {resource} brings more at other accounts; another playbook does nearly as well here"
    DOES_NOT_PAY = "costs more than it should bring"
    NO_CAPACITY = "{resource} has no capacity left"
    CAPACITY = "capacity of {resource} is used by accounts worth {amount} or more"
    CAPACITY_FOR_RULES = "capacity of {resource} is used by what rules begin first"
    BUDGET = "the budget of the week is spent on what brings more per unit of money"
    BUDGET_LEFT = "what is left of the budget, {amount}, does not suffice for it"


class NotChosenReason(NamedTuple):
    """The reason, and the amount of money in it."""

    why: WhyNot
    amount: float = 0.0


def why_not_words(not_chosen: NotChosenReason, resource: str | None) -> str:
    """The reason in words; `resource` is the name of the resource, if there is one."""
    return not_chosen.why.format(resource=resource or "those who would do it", amount=f"{not_chosen.amount:,.0f}")
