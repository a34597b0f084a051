"""The model card for people: what a model is for, what it is not for, how good it is, and where it ends.

After Mitchell et al., "Model Cards for Model Reporting", FAT* 2019. Everything in it is in the JSON card, too.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from registry.card import AsOfDates, Interval, Leakage, ModelCard, TargetCard
from training.data.targets import Target, target_from
from training.models.ladder import task_for

PURPOSES = {
    "churn": "How probable it is that an account churns, to decide whom to call first and what is at stake",
    "contract_churn": "How probable it is that an account leaves a contract, to talk about its renewal in time",
    "contraction": "How probable it is that an account orders much less than usual, to find out why before it leaves",
    "upsell": "How probable it is that an account grows, to offer more to those who want it",
    "cross_sell": "How probable it is that an account buys what it has not bought so far, to offer it to those who want it",
    "value": "How much an account will order, to weigh what is at stake and to plan",
    "next_order": "When an account will order next, to notice when it does not",
}
NOT_FOR = (
    "accounts outside of the eligible population: they get no score, and why not is said",
    "saying why: a driver goes along with what happens, it need not cause it",
    "saying what a call would change: that is the effect of an intervention, which only a control group shows",
    "decisions about single people, credit or employment",
    "other horizons, and other companies, than those it was trained on",
)


def purpose(target: Target) -> str:
    """What a model of the target is for."""
    return f"{PURPOSES[target.kind]} ({target.definition})."


def limits(
    notes: Sequence[str], leakage: Leakage, dates: AsOfDates, target: TargetCard, trained_as_of: datetime
) -> tuple[str, ...]:
    """Where a model ends, from the findings of its own training: its notes first."""
    known = [
        f"judged on one horizon of {target.horizon_days} days, from {dates.test:%Y-%m-%d}; the model that is registered has learnt from that one too",
        f"trained on what was known by {trained_as_of:%Y-%m-%d}: it ages, and foresail evaluate shows how fast",
        "bands and percentiles are ranks among the accounts of the day it was trained on",
    ]
    suspects = [f"{suspect.column} may know the outcome: {suspect.words}" for suspect in leakage.suspects]
    return (*notes, *suspects, *known)


def markdown(card: ModelCard) -> str:
    """The card as a page of Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: ModelCard) -> Iterator[str]:
    yield f"# {card.project} · {card.target.name} ({card.rung})"
    yield from ("", card.purpose, "", "## Not for", "")
    yield from (f"- {use}" for use in card.not_for)
    yield from ("", "## How good it is", "", *_metrics(card))
    yield from ("", f"Chosen on earlier dates: {card.choice}.")
    yield from ("", "## Known limits", "")
    yield from (f"- {limit}" for limit in card.limits)
    yield from ("", "## Where it comes from", "")
    yield from (f"- {name}: {value}" for name, value in _origin(card).items())


def _metrics(card: ModelCard) -> Iterator[str]:
    """A table: a metric a line, a rung a column, on the test date, with 95 % intervals."""
    rungs = list(card.metrics)
    if card.test_date and card.baseline:
        yield f"As of {card.test_date:%Y-%m-%d}, which no choice had seen. The baseline is {card.baseline.rung}."
    yield from ("", f"| metric | {' | '.join(rungs)} |", f"| --- |{' --- |' * len(rungs)}")
    for metric in task_for(target_from(card.target.to_json())).metrics:
        yield f"| {metric.title} | {' | '.join(_estimate(card.metrics[rung][metric.name]) for rung in rungs)} |"


def _estimate(interval: Interval) -> str:
    value, low, high = interval
    return "–" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _origin(card: ModelCard) -> dict[str, str]:
    dates, rows = (card.as_of_dates.refit if card.as_of_dates else ()), (card.table.rows if card.table else 0)
    return {
        "trained as of": card.trained_as_of.isoformat(),
        "learnt from": f"{rows:,} rows at {len(dates)} as-of dates, {dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}",
        "features": f"{len(card.features)}, fingerprint {card.fingerprint}",
        "history": ", ".join(f"{stream} version {version}" for stream, version in card.data_versions.items()),
        "calibration": card.calibration.method,
        "seed": str(card.seed),
        "environment": ", ".join(f"{name} {version}" for name, version in card.environment.items()),
    }
