"""The model card for people: what a model is for, what it is not for, how good it is, and where it ends.

After Mitchell et al., "Model Cards for Model Reporting", FAT* 2019. Everything in it stands in the JSON card too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from training.data.targets import Target, target_from
from training.models.answering import answering_for

PURPOSES = {
    "churn": "How probable it is that an account churns, to decide whom to call first and what is at stake",
    "contract_churn": "How probable it is that an account leaves a contract, to talk about its renewal in time",
    "contraction": "How probable it is that an account orders much less than usual, to find out why before it leaves",
    "upsell": "How probable it is that an account grows, to offer more to those who want it",
    "cross_sell": "How probable it is that an account buys what it has not bought so far, to offer it to those who want it",
    "value": "How much an account will order, to weigh what is at stake and to plan",
    "next_order": "When an account will order next, to notice when it does not",
}


def purpose(target: Target) -> dict[str, Any]:
    """What the card says of the use of a model, before anything is known of how good it is."""
    return {
        "purpose": f"{PURPOSES[target.kind]} ({target.definition}).",
        "not_for": [
            "accounts outside of the eligible population: they get no score, and why not is said",
            "saying why: a driver goes along with what happens, it need not cause it",
            "saying what a call would change: that is the effect of an intervention, which only a control group shows",
            "decisions about single people, credit or employment",
            "other horizons, and other companies, than those it was trained on",
        ],
    }


def limits(card: Mapping[str, Any]) -> list[str]:
    """Where a model ends, from what its own training found: its notes first."""
    judged_on, horizon = card["as_of_dates"]["test"][:10], card["target"]["horizon_days"]
    known = [
        f"judged on one horizon of {horizon} days, from {judged_on}; the model that is registered has learnt from that one too",
        f"trained on what was known by {card['trained_as_of'][:10]}: it ages, and foresail evaluate shows how fast",
        "bands and percentiles are ranks among the accounts of the day it was trained on",
    ]
    suspects = [f"{one['column']} may know the outcome: {one['words']}" for one in card["leakage"]["suspects"]]
    return [*card["notes"], *suspects, *known]


def markdown(card: Mapping[str, Any]) -> str:
    """The card as a page of Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {card['project']} · {card['target']['name']} ({card['rung']})"
    yield from ("", card["purpose"], "", "## Not for", "")
    yield from (f"- {one}" for one in card["not_for"])
    yield from ("", "## How good it is", "", *_figures(card))
    yield from ("", f"Chosen on earlier dates: {card['choice']}.")
    yield from ("", "## Known limits", "")
    yield from (f"- {one}" for one in card["limits"])
    yield from ("", "## Where it comes from", "")
    yield from (f"- {what}: {said}" for what, said in _origin(card).items())


def _figures(card: Mapping[str, Any]) -> Iterator[str]:
    """A table: a metric a line, a rung a column, on the test date, with 95 % intervals."""
    rungs = list(card["metrics"])
    yield f"As of {card['as_of_dates']['test'][:10]}, which no choice had seen. The baseline is {card['baseline']['rung']}."
    yield from ("", f"| metric | {' | '.join(rungs)} |", f"| --- |{' --- |' * len(rungs)}")
    for metric in answering_for(target_from(card["target"])).metrics:
        yield f"| {metric.title} | {' | '.join(_estimate(*card['metrics'][rung][metric.name]) for rung in rungs)} |"


def _estimate(value: float | None, low: float | None, high: float | None) -> str:
    return "–" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _origin(card: Mapping[str, Any]) -> dict[str, str]:
    dates, environment = card["as_of_dates"]["refit"], card["environment"]
    return {
        "trained as of": card["trained_as_of"],
        "learnt from": f"{card['table']['rows']:,} rows at {len(dates)} as-of dates, {dates[0][:10]} to {dates[-1][:10]}",
        "features": f"{len(card['features'])}, fingerprint {card['fingerprint']}",
        "history": ", ".join(f"{stream} version {version}" for stream, version in card["data_versions"].items()),
        "calibration": card["calibration"]["method"],
        "seed": str(card["seed"]),
        "environment": ", ".join(f"{what} {version}" for what, version in environment.items()),
    }
