"""Feature rows of accounts → the entries of an answer: every target's score, with what is at stake and what changed."""

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
from serving.online.explanation import UNEXPLAINED, Explained, Question, Subject, explained
from serving.online.in_service import InService
from serving.scoring.scores import Rows, Scores, score_rows
from serving.segmentation.settings import SeverityWord
from serving.segmentation.stakes import is_risk, predicted_values
from serving.segmentation.value import severity_of


def scored(subjects: Sequence[Subject], question: Question, service: InService) -> list[schemas.ScoredAccount]:
    """One entry for each account, in their order."""
    if not subjects:
        return []
    rows = Rows(service.names, np.array([subject.row for subject in subjects], dtype=np.float64))
    with stage("predict"):
        scores = {loaded.target.name: score_rows(loaded, rows) for loaded in question.models}
    stakes = _as_lists(_stakes(question.models, scores, rows, service))
    reasons: Mapping[tuple[str, int], Explained] = {}
    if question.explain != "none":
        with stage("explain"):
            reasons = explained(subjects, question, rows, scores, service)
    sheet = _Sheet(question, scores, stakes, _severities(stakes, service.cuts), reasons)
    return [sheet.entry(place, subject) for place, subject in enumerate(subjects)]


def _stakes(
    models: Sequence[LoadedModel], scores: Mapping[str, Scores], rows: Rows, service: InService
) -> dict[str, Floats]:
    """What each account has at stake, by target of risk; NaN where it is not scored."""
    risks = [loaded.target.name for loaded in models if is_risk(loaded)]
    if not risks:
        return {}
    values = predicted_values(service.value_model, rows, scores)
    return {target: scores[target].answers * values for target in risks}


def _as_lists(stakes: Mapping[str, Floats]) -> dict[str, list[float]]:
    return {target: found.tolist() for target, found in stakes.items()}


def _severities(stakes: Mapping[str, list[float]], cuts: Mapping[str, float]) -> dict[str, list[SeverityWord | None]]:
    return {target: severity_of(found, cuts) for target, found in stakes.items()}


@dataclass(frozen=True)
class _Sheet:
    """All that was found out about some accounts; `place` is an account's place among them."""

    question: Question
    scores: Mapping[str, Scores]
    stakes: Mapping[str, list[float]]
    severities: Mapping[str, list[SeverityWord | None]]
    explained: Mapping[tuple[str, int], Explained]

    def entry(self, place: int, subject: Subject) -> schemas.ScoredAccount:
        known = subject.remembered
        return schemas.ScoredAccount(
            account_id=subject.account_id,
            scores=[self._score(loaded, place, subject) for loaded in self.question.models],
            quadrant=known.quadrant,
            tier=known.tier,
            segment=known.segment,
            health=known.health,
            data_as_of=known.data_as_of,
        )

    def _score(self, loaded: LoadedModel, place: int, subject: Subject) -> schemas.Score:
        target, scores = loaded.target, self.scores[loaded.target.name]
        why_not, answer = scores.why_not[place], float(scores.answers[place])
        beside = self.explained.get((target.name, place), UNEXPLAINED)
        earlier = subject.remembered.earlier.get(target.name)
        stake = self.stakes[target.name][place] if target.name in self.stakes else math.nan
        stands = None if math.isnan(stake) else stake
        return schemas.Score(
            target=target.name,
            definition=target.definition,
            as_of=self.question.as_of,
            horizon_days=target.horizon_days,
            **_answer(target.answer, scores, place, None if why_not else answer),
            percentile=None if why_not else float(scores.percentile[place]),
            band=scores.band[place],
            value_at_stake=stands,
            severity=self.severities[target.name][place] if target.name in self.severities else None,
            why_not=why_not,
            reasons=beside.reasons,
            contributions=beside.contributions,
            change=_change(earlier, answer, beside.moved) if earlier else None,
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
