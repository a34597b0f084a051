"""What an account has signed: contracts in force and what they are worth, how long they run, how they changed."""

from features.definitions import (
    Aggregate,
    Derived,
    Feature,
    Selected,
    days_until,
    difference,
    events,
    ratio,
    still_ahead,
    total,
)
from features.history.streams import IN_FORCE

YEAR = 365

newest = events("contracts").newest("contract_id")
"""The state of each contract: only its newest event counts."""
uncancelled = newest.where(kind=IN_FORCE)
"""Contracts under notice are left out although they may run on: their remaining value is no promise."""
open_ended = uncancelled.where(term="open")
running = uncancelled.where(ends_at=still_ahead())
"""Contracts of fixed term that have not ended yet."""
cancelled_running = newest.where(kind="cancelled", ends_at=still_ahead())
"""Notice is given, and they still run."""


def changed(kind: str) -> Selected:
    """The moments at which any contract was signed, renewed, upgraded, downgraded or cancelled."""
    return events("contracts", kind=kind)


def in_force(value: str | None = None) -> Derived:
    """How many contracts are in force with no notice given, or the sum of a value over them."""
    return total(_number(open_ended, value), _number(running, value))


def _number(contracts: Selected, value: str | None) -> Aggregate:
    return contracts.sum(value) if value else contracts.count()


contracts_in_force = in_force()
value_in_force = in_force("value")
days_left = days_until(running.min("ends_at"))
"""Days until the first of them ends."""

FEATURES = (
    Feature(
        "contracts_in_force_count",
        contracts_in_force,
        "contracts in force on which no notice is given",
        "contracts",
        "0: none",
    ),
    Feature(
        "contracts_value_sum",
        value_in_force,
        "what the contracts in force are worth in a year, those left out on which notice is given",
        "currency a year",
        "0: none, or values are not recorded",
    ),
    Feature(
        "contracts_quantity_sum",
        in_force("quantity"),
        "seats or pieces that the contracts in force cover, those left out on which notice is given",
        "pieces",
        "0: none, or quantities are not recorded",
    ),
    Feature(
        "contracts_days_left_min",
        days_left,
        "time until the first of the contracts in force ends",
        "days",
        "no contract with an end is in force",
    ),
    Feature(
        "contracts_days_left_max",
        days_until(running.max("ends_at")),
        "time until the last of the contracts in force ends",
        "days",
        "no contract with an end is in force",
    ),
    Feature(
        "contracts_days_to_notice",
        difference(days_left, running.max("notice_days")),
        "time left to give notice on the contract that ends first, by the longest notice of any; negative once it is over",
        "days",
        "no contract with an end and a notice is in force",
    ),
    Feature(
        "contracts_automatic_share",
        ratio(running.where(renewal="automatic").count(), running.count()),
        "share of the contracts with an end that renew themselves",
        "share",
        "no contract with an end is in force",
    ),
    Feature(
        "contracts_notice_given_count",
        cancelled_running.count(),
        "contracts that are cancelled and still run",
        "contracts",
        "0: none",
    ),
    Feature(
        "contracts_lapsed_count",
        difference(uncancelled.where(term="fixed").count(), running.count()),
        "contracts that ended without being renewed or cancelled",
        "contracts",
        "0: none",
    ),
    Feature(
        "contracts_days_since_first",
        changed("signed").days_since_first(),
        "time since the first contract was signed",
        "days",
        "never signed one",
    ),
    Feature(
        "contracts_renewed_count", changed("renewed").count(), "renewals of contracts so far", "renewals", "0: none"
    ),
    *(
        Feature(
            f"contracts_{kind}_count_365d",
            changed(kind).count(days=YEAR),
            f"contracts {kind} in the last 365 days",
            "contracts",
            "0: none",
        )
        for kind in ("upgraded", "downgraded", "cancelled")
    ),
    Feature(
        "contracts_days_since_cancelled",
        changed("cancelled").days_since_last(),
        "time since a contract was last cancelled",
        "days",
        "never cancelled one",
    ),
)
