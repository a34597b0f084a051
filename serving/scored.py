"""Feature rows of accounts → the entries of an answer: every target's score, with its reasons and what changed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from serving.accounts import Array
from serving.api import schemas
from serving.changes import Movement, difference, earlier_rows, movements
from serving.in_service import InService
from serving.last_night import NOTHING, Earlier, Remembered
from serving.model_store import LoadedModel
from serving.reasons import reasons_of
from serving.scoring import Floats, Rows, Scores, score_rows
from serving.stakes import is_risk, predicted_values, severity


class Subject(NamedTuple):
    """An account to score: its features, and what the last night left of it."""

    account_id: str
    row: Array
    remembered: Remembered = NOTHING


@dataclass(frozen=True)
class Question:
    """What is asked of every account."""

    models: Sequence[LoadedModel]
    explain: schemas.Explain
    as_of: datetime


class _Told(NamedTuple):
    """What is told of one score beside it."""

    reasons: list[schemas.Reason]
    contributions: list[schemas.Contribution]
    moved: list[schemas.Moved]


_NOTHING_TOLD = _Told([], [], [])


def scored(subjects: Sequence[Subject], question: Question, service: InService) -> list[schemas.ScoredAccount]:
    """One entry for each account, in their order."""
    if not subjects:
        return []
    rows = Rows(service.names, np.array([subject.row for subject in subjects], dtype=np.float64))
    found = {loaded.target.name: score_rows(loaded, rows) for loaded in question.models}
    stakes = _stakes(question.models, found, rows, service)
    told = _told(subjects, question, rows, found, service)
    return [_entry(subject, place, question, found, stakes, told, service) for place, subject in enumerate(subjects)]


def _entry(
    subject: Subject,
    place: int,
    question: Question,
    found: Mapping[str, Scores],
    stakes: Mapping[str, list[float]],
    told: Mapping[tuple[str, int], _Told],
    service: InService,
) -> schemas.ScoredAccount:
    known = subject.remembered
    scores = []
    for loaded in question.models:
        target = loaded.target.name
        beside = told.get((target, place), _NOTHING_TOLD)
        stake = stakes[target][place] if target in stakes else math.nan
        earlier = known.earlier.get(target)
        scores.append(_score(loaded, found[target], place, stake, beside, earlier, question, service))
    return schemas.ScoredAccount(
        account_id=subject.account_id,
        quadrant=known.quadrant,
        tier=known.tier,
        segment=known.segment,
        health=known.health,
        data_as_of=known.data_as_of,
        scores=scores,
    )


def _score(
    loaded: LoadedModel,
    scores: Scores,
    place: int,
    stake: float,
    told: _Told,
    earlier: Earlier | None,
    question: Question,
    service: InService,
) -> schemas.Score:
    is_scored = scores.why_not[place] is None
    answer = float(scores.answers[place])
    at_stake = not math.isnan(stake)
    return schemas.Score(
        target=loaded.target.name,
        definition=loaded.target.definition,
        as_of=question.as_of,
        horizon_days=loaded.target.horizon_days,
        **_answer(loaded, scores, place, answer if is_scored else None),
        percentile=float(scores.percentile[place]) if is_scored else None,
        band=scores.band[place],
        value_at_stake=stake if at_stake else None,
        severity=severity(stake, service.cuts) if at_stake else None,
        why_not=scores.why_not[place],
        reasons=told.reasons,
        contributions=told.contributions,
        change=_change(earlier, answer, told.moved) if earlier else None,
        model=loaded.name,
        model_version=loaded.version,
        grade=loaded.grade,
    )


def _answer(loaded: LoadedModel, scores: Scores, place: int, answer: float | None) -> dict[str, Any]:
    """The answer under the name of its kind; the others are null."""
    answers: dict[str, Any] = {"probability": None, "amount": None, "days": None}
    if scores.bounds is None or answer is None:
        return answers | {loaded.target.answer: answer}
    low, high = scores.bounds[place].tolist()
    days = {"median": answer, "low": low, "high": high}
    told = {name: None if value == math.inf else value for name, value in days.items()}
    return answers | {"days": schemas.Days(**told)}


def _change(earlier: Earlier, answer: float, moved: list[schemas.Moved]) -> schemas.Change:
    return schemas.Change(
        previous_as_of=earlier.as_of,
        previous=earlier.answer,
        difference=difference(answer, earlier),
        model_version=earlier.model_version,
        reasons=moved,
    )


def _stakes(
    models: Sequence[LoadedModel], found: Mapping[str, Scores], rows: Rows, service: InService
) -> dict[str, list[float]]:
    """What each account has at stake, by target of risk; NaN where it is not scored."""
    risks = [loaded.target.name for loaded in models if is_risk(loaded)]
    if not risks:
        return {}
    values = predicted_values(service.value_model, rows, found)
    return {target: (found[target].answers * values).tolist() for target in risks}


# --- reasons ---


def _told(
    subjects: Sequence[Subject], question: Question, rows: Rows, found: Mapping[str, Scores], service: InService
) -> dict[tuple[str, int], _Told]:
    """What is told of each score, by target and place; nothing of accounts that are not scored."""
    if question.explain == "none":
        return {}
    moments = [(each.account_id, score.as_of) for each in subjects for score in each.remembered.earlier.values()]
    before = earlier_rows(service.accounts, moments)
    told: dict[tuple[str, int], _Told] = {}
    for loaded in question.models:
        target = loaded.target.name
        places = np.flatnonzero(~np.isnan(found[target].answers))
        then = {
            number: before[moment]
            for number, place in enumerate(places.tolist())
            if (moment := _moment(subjects[place], target)) in before
        }
        for place, one in zip(places.tolist(), _of_target(loaded, rows.at(places), then, question, service), strict=True):
            told[target, place] = one
    return told


def _moment(subject: Subject, target: str) -> tuple[str, datetime] | None:
    earlier = subject.remembered.earlier.get(target)
    return (subject.account_id, earlier.as_of) if earlier else None


def _of_target(
    loaded: LoadedModel, rows: Rows, then: Mapping[int, Array], question: Question, service: InService
) -> list[_Told]:
    """What is told of some rows, all of them scored."""
    if not len(rows.matrix):
        return []
    currency = service.settings.currency
    contributions = loaded.model.contributions(rows.columns(loaded.model.features))
    moved = movements(loaded, rows, contributions, then, currency)
    told = []
    for number, (of_one, values) in enumerate(zip(contributions.tolist(), rows.values(), strict=True)):
        reasons = reasons_of(loaded.features, of_one, values, currency=currency)
        told.append(
            _Told(
                [schemas.Reason(**vars(reason)) for reason in reasons],
                _contributions(loaded, of_one, values) if question.explain == "all" else [],
                [_moved(one) for one in moved.get(number, ())],
            )
        )
    return told


def _contributions(
    loaded: LoadedModel, sizes: Sequence[float], values: Mapping[str, float]
) -> list[schemas.Contribution]:
    """All of them, the largest first; of equal ones in the order of their names."""
    ranked = sorted(zip(loaded.model.features, sizes, strict=True), key=lambda told: (-abs(told[1]), told[0]))
    return [
        schemas.Contribution(
            feature=name, value=None if math.isnan(values[name]) else values[name], size=size
        )
        for name, size in ranked
    ]


def _moved(movement: Movement) -> schemas.Moved:
    return schemas.Moved(**vars(movement.reason), before=movement.before)
