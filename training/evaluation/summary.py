"""An evaluation that a company can act on: what the judged probabilities are worth, where they hold, and their grade."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.arrays import Floats
from features.catalog import named
from features.definitions import Feature
from features.engine.plan import FeatureSet
from features.history.attributes import attributes_as_of
from features.history.store import History
from registry import card
from registry.target_kinds import RISKS
from registry.versions import Scorer
from training.data.dataset import Dataset
from training.data.targets import Target
from training.evaluation.comparison import Evaluation
from training.evaluation.examples import Example, ReasonWriter, examples
from training.evaluation.grade import Grade, grade, grade_of_numbers
from training.evaluation.profit import Campaign, Profit, earn
from training.evaluation.reliability import Reliability, reliability
from training.evaluation.slices import ATTRIBUTES, Groups, Slice, slices

ORDERED, RETURNED = "purchases_amount_sum_365d", "purchases_returns_amount_sum_365d"


@dataclass(frozen=True)
class Judged:
    """The rows of one date, one an account, with what the chosen model and the baseline said of them.

    `model` gave the answers.
    """

    rows: Dataset
    answers: Floats
    baseline: Floats
    model: Scorer
    evaluation: Evaluation
    rung: str

    @property
    def by_model(self) -> dict[str, Floats]:
        """Answers by the names of the evaluation, the baseline first."""
        return {self.evaluation.baseline: self.baseline, self.rung: self.answers}

    @property
    def yearly_net(self) -> Floats:
        """What the last year of each account brought, returns taken off (they are negative); NaN where a feature is missing."""
        if not {ORDERED, RETURNED} <= set(self.rows.features):
            return np.full(len(self.rows), np.nan)
        return np.asarray(self.rows.columns((ORDERED, RETURNED)).sum(axis=1))


@dataclass(frozen=True)
class Summary:
    """What follows from an evaluation, beside the metrics themselves."""

    reliability: Reliability | None
    """Of probabilities."""
    profit: Profit | None
    """Of targets of risk: what a campaign among the riskiest would earn."""
    slices: tuple[Slice, ...]
    grade: Grade
    examples: tuple[Example, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for machines; of the examples nothing, because each is an account's."""
        facts = {
            "grade": self.grade.to_json(),
            "reliability": self.reliability.to_json() if self.reliability else None,
            "profit": self.profit.to_json() if self.profit else None,
            "slices": [part.to_json() for part in self.slices],
        }
        return {name: _plain(fact) for name, fact in facts.items()}

    def on_card(self) -> dict[str, Any]:
        """The same facts as fields of a model card."""
        facts = self.to_json()
        return {
            "grade": card.Grade.from_json(facts["grade"]),
            "reliability": card.Reliability.from_json(facts["reliability"]) if self.reliability else None,
            "profit": card.Profit.from_json(facts["profit"]) if self.profit else None,
            "slices": tuple(card.Slice.from_json(part) for part in facts["slices"]),
        }

    def metrics(self) -> dict[str, float]:
        """For MLflow: EMPC and profit at capacity of the model and the baseline, and each slice's figures."""
        honest, profit = self.reliability, self.profit
        flat = {"ece_by_chance": honest.ece_by_chance, "foreseen": honest.foreseen} if honest else {}
        earned = (("empc", profit.empc), ("profit_at_capacity", profit.at_capacity)) if profit else ()
        for name, by_model in earned:
            for model, estimate in by_model.items():
                flat |= {
                    f"{model}/{name}": estimate.value,
                    f"{model}/{name}_low": estimate.low,
                    f"{model}/{name}_high": estimate.high,
                }
        for part in self.slices:
            place = f"slices/{_safe(part.attribute)}/{_safe(part.value)}"
            flat |= {f"{place}/{name}": estimate.value for name, estimate in part.metrics.items()}
            flat |= {f"{place}/foreseen": part.foreseen, f"{place}/happened": part.happened}
        return flat


def needed_for_value(catalog: FeatureSet) -> tuple[Feature, ...]:
    """The features that `Judged.yearly_net` reads."""
    return tuple(named([ORDERED, RETURNED], catalog))


def summarise(
    judged: Judged,
    target: Target,
    campaign: Campaign,
    groups: Groups,
    seed: int,
    *,
    catalog: FeatureSet,
    reason_writer: ReasonWriter | None = None,
) -> Summary:
    """Summarise the judged rows; with `reason_writer`, which puts reasons into words, a few accounts are shown one by one.

    Amounts and days have a grade; probabilities also reliability and slices; those of a risk also what they are worth.
    """
    rows, evaluation = judged.rows, judged.evaluation
    if target.answer != "probability":
        return Summary(None, None, (), grade_of_numbers(evaluation, judged.rung))
    honest = reliability(judged.answers, rows.labels, seed)
    parts = slices(judged.answers, rows.labels, rows.account, groups, seed)
    graded = grade(evaluation, judged.rung, honest, parts)
    if target.kind not in RISKS:
        return Summary(honest, None, parts, graded)
    terms = campaign.terms(judged.yearly_net)
    profit = earn(judged.by_model, rows.labels, rows.account, terms, baseline=evaluation.baseline, seed=seed)
    shown = (
        examples(rows, judged.answers, judged.yearly_net, judged.model, catalog, reason_writer)
        if reason_writer is not None
        else ()
    )
    return Summary(honest, profit, parts, graded, shown)


def groups_at(history: History, as_of: datetime, accounts: Sequence[str]) -> Groups:
    """Segment, industry and region of these accounts as was known at as_of; an attribute nobody has is left out."""
    known = attributes_as_of(history, as_of, ATTRIBUTES).reindex(list(accounts))
    return {
        name: np.array([value if isinstance(value, str) else None for value in known[name]], dtype=object)
        for name in ATTRIBUTES
        if known[name].notna().any()
    }


def _plain(facts: Any) -> Any:
    """The same facts as JSON gives them back: lists, and null for what is not a finite number."""
    if isinstance(facts, Mapping):
        return {name: _plain(fact) for name, fact in facts.items()}
    if isinstance(facts, list | tuple):
        return [_plain(fact) for fact in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts


def _safe(name: str) -> str:
    """A name as MLflow takes it in a metric's: letters, digits and _ - . and spaces."""
    return "".join(mark if (mark.isalnum() and mark.isascii()) or mark in "_-. " else "_" for mark in name)
