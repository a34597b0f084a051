"""Feature rows of accounts → the scores of every target, with value at stake, severity, explanation and change."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.arrays import Floats
from registry.loader import LoadedModel
from serving.accounts.last_scores import Earlier
from serving.observability.metrics import stage
from serving.online import schemas
from serving.online.changes import difference
from serving.online.explanation import NO_EXPLANATION, Explanation, explanations
from serving.online.in_service import InService
from serving.online.score_query import AccountRow, ScoreQuery
from serving.scoring.scores import Rows, Scores, score_rows
from serving.segmentation.settings import SeverityWord
from serving.segmentation.stakes import is_risk, predicted_values
from serving.segmentation.value import severity_of


def account_scores(
    accounts: Sequence[AccountRow], query: ScoreQuery, service: InService
) -> list[schemas.ScoredAccount]:
    """One entry for each account, in their order."""
    if not accounts:
        return []
    rows = Rows(service.names, np.array([account.features for account in accounts], dtype=np.float64))
    with stage("predict"):
        scores = {loaded.target.name: score_rows(loaded, rows) for loaded in query.models}
    stakes = _as_lists(_stakes(query.models, scores, rows, service))
    reasons: Mapping[tuple[str, int], Explanation] = {}
    if query.explain != "none":
        with stage("explain"):
            reasons = explanations(accounts, query, rows, scores, service)
    columns = _ScoreColumns(query, scores, stakes, _severities(stakes, service.cuts), reasons)
    return [columns.entry(place, account) for place, account in enumerate(accounts)]


def _stakes(
    models: Sequence[LoadedModel], scores: Mapping[str, Scores], rows: Rows, service: InService
) -> dict[str, Floats]:
    """Value at stake of each account, by target of risk; NaN where it is not scored."""
    risks = [loaded.target.name for loaded in models if is_risk(loaded)]
    if not risks:
        return {}
    values = predicted_values(service.value_model, rows, scores)
    return {target: scores[target].answers * values for target in risks}


def _as_lists(stakes: Mapping[str, Floats]) -> dict[str, list[float]]:
    return {target: values.tolist() for target, values in stakes.items()}


def _severities(stakes: Mapping[str, list[float]], cuts: Mapping[str, float]) -> dict[str, list[SeverityWord | None]]:
    return {target: severity_of(values, cuts) for target, values in stakes.items()}


@dataclass(frozen=True)
class _ScoreColumns:
    """Scores, stakes, severities and explanations of some accounts; `place` is an account's place among them."""

    query: ScoreQuery
    scores: Mapping[str, Scores]
    stakes: Mapping[str, list[float]]
    severities: Mapping[str, list[SeverityWord | None]]
    explanations: Mapping[tuple[str, int], Explanation]

    def entry(self, place: int, account: AccountRow) -> schemas.ScoredAccount:
        known = account.remembered
        return schemas.ScoredAccount(
            account_id=account.account_id,
            scores=[self._score(loaded, place, account) for loaded in self.query.models],
            quadrant=known.quadrant,
            tier=known.tier,
            segment=known.segment,
            health=known.health,
            data_as_of=known.data_as_of,
        )

    def _score(self, loaded: LoadedModel, place: int, account: AccountRow) -> schemas.Score:
        target, scores = loaded.target, self.scores[loaded.target.name]
        why_not, answer = scores.why_not[place], float(scores.answers[place])
        explanation = self.explanations.get((target.name, place), NO_EXPLANATION)
        earlier = account.remembered.earlier.get(target.name)
        stake = self.stakes[target.name][place] if target.name in self.stakes else math.nan
        return schemas.Score(
            target=target.name,
            definition=target.definition,
            as_of=self.query.as_of,
            horizon_days=target.horizon_days,
            **_answer(target.answer, scores, place, None if why_not else answer),
            percentile=None if why_not else float(scores.percentile[place]),
            band=scores.band[place],
            value_at_stake=None if math.isnan(stake) else stake,
            severity=self.severities[target.name][place] if target.name in self.severities else None,
            why_not=why_not,
            reasons=explanation.reasons,
            contributions=explanation.contributions,
            change=_change(earlier, answer, explanation.moved) if earlier else None,
            model=loaded.name,
            model_version=loaded.version,
            grade=loaded.grade,
        )


def _answer(kind: str, scores: Scores, place: int, answer: float | None) -> dict[str, Any]:
    """The answer under the name of its kind; the others are null."""
    answers: dict[str, Any] = {"probability": None, "amount": None, "days": None}
    if scores.bounds is None or answer is None:
        return answers | {kind: answer}
    days = (answer, *scores.bounds[place].tolist())
    return answers | {kind: schemas.Days(*(None if value == math.inf else value for value in days))}


def _change(earlier: Earlier, answer: float, moved: list[schemas.Moved]) -> schemas.Change:
    return schemas.Change(
        previous_as_of=earlier.as_of,
        previous=earlier.answer,
        difference=difference(answer, earlier),
        model_version=earlier.model_version,
        reasons=moved,
    )
