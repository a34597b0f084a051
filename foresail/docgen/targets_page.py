"""docs/reference/targets.md: what can be predicted, written from the declarations."""

from collections.abc import Iterator
from dataclasses import MISSING, fields

from foresail.config.project import OF_KINDS
from training.data.targets import TARGETS, Target, target_from
from training.models.ladder import ladder, task_for

EXAMPLES = {
    "churn": {"horizon_days": 90, "active_within_days": 365},
    "contract_churn": {"horizon_days": 90},
    "contraction": {"horizon_days": 90, "active_within_days": 365},
    "upsell": {"horizon_days": 90, "active_within_days": 365},
    "cross_sell": {"horizon_days": 90, "active_within_days": 365},
    "value": {"horizon_days": 365},
    "next_order": {"horizon_days": 120},
}
SETTINGS = {
    "horizon_days": "how far the label looks forward",
    "active_within_days": "eligible: ordered within so many days before as_of; left out: ever",
    "bands": "percentiles from which a band is medium and high",
    "min_tenure_days": "accounts whose first order is younger are not scored",
    "grace_days": "an order, or a renewal, that comes that much after the horizon still counts as in time",
    "share": "how far the orders lie from what was expected before it counts",
    "seasonal": "expect what the same stretch of last year's calendar brought, as a share of that year, to the accounts older than a year",
    "category": "this one alone, asked of accounts that have not bought from it for lookback_days",
    "lookback_days": "a category not bought from for so long is new",
    "measure": "amount, or margin",
}
"""What each setting does."""


def targets_page() -> str:
    """Every kind of target: what it asks, of whom, what answers it, and what can be set."""
    return "\n".join(
        [
            "# Targets",
            "",
            "What can be predicted. Declare as many as you like in `foresail.toml`, several of a kind too, each with a name of",
            "its own; the definition in words goes with every model and every score. A label looks at (as_of, as_of + horizon],",
            "features and eligibility at what was known at as_of. Returns are not orders. Every ladder begins with a rule that a",
            "model must beat. Written by `python -m foresail.docgen.reference`.",
            *(line for kind in TARGETS for line in _kind(kind)),
            "",
            "## Settings",
            "",
            "| setting | of | default | what it does |",
            "| --- | --- | --- | --- |",
            *(_setting(name, what) for name, what in SETTINGS.items()),
            "",
        ]
    )


def _kind(kind: str) -> Iterator[str]:
    target = target_from({"kind": kind, "name": kind, **EXAMPLES[kind]})
    rungs = [rung.name for rung in ladder((), target)]
    metrics = ", ".join(metric.title for metric in task_for(target).metrics)
    meaning = (type(target).__doc__ or "").strip().replace("\n\n", "\n").split("\n")
    yield from ["", f"## {kind}", "", *(line.strip() for line in meaning), ""]
    yield from ["```toml", f"[targets.{kind}]", f'kind = "{kind}"']
    yield from [f"{name} = {value}" for name, value in EXAMPLES[kind].items()]
    yield from ["```", "", f"- in words: {target.definition}", f"- answer: {_answer(target)}"]
    yield from [f"- ladder: {' → '.join(rungs)}", f"- judged by: {metrics}"]


def _answer(target: Target) -> str:
    return {
        "probability": "a calibrated probability",
        "amount": "an expected amount, in the project's currency",
        "days": "the median of the days, and an interval that should hold 80 % (null: beyond the horizon)",
    }[target.answer]


def _setting(name: str, what: str) -> str:
    kinds = ", ".join(OF_KINDS.get(name, ("all",)))
    if set(OF_KINDS.get(name, ())) == set(TARGETS) - {"contract_churn"}:
        kinds = "all but contract_churn"
    defaults = {each.name: each.default for target in TARGETS.values() for each in fields(target)}
    default = "{ medium = 0.70, high = 0.90 }" if name == "bands" else _toml(defaults[name])
    return f"| `{name}` | {kinds} | {default} | {what} |"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is MISSING:
        return "to be given"
    return "none" if value is None else str(value)
