"""GET /v1/models: what is in service, how far it can be relied on, and which targets have no model."""

from fastapi import APIRouter

from registry.card import ModelCard
from registry.loader import LoadedModel
from serving.api.dependencies import Served
from serving.api.problems import NOT_READY, problem_of
from serving.api.routes import problems
from serving.api.schemas.models import Measured, Missing, Model, Models
from serving.online.schemas import ProblemDetail

router = APIRouter()


@router.get("/models", responses=problems(NOT_READY))
async def models(service: Served) -> Models:
    """The champions in service, and what a reader needs to judge their scores."""
    missing = [
        Missing(target=target, problem=ProblemDetail(**problem_of(unavailable).members()))
        for target, unavailable in service.missing.items()
    ]
    return Models(models=[_model(loaded) for loaded in service.models.values()], missing=missing)


def _model(loaded: LoadedModel) -> Model:
    target, card, grade = loaded.target, loaded.card, loaded.card.grade
    return Model(
        target=target.name, definition=target.definition, answer=target.answer, horizon_days=target.horizon_days,
        model=loaded.name, model_version=loaded.version, rung=card.rung, trained_as_of=card.trained_as_of,
        reference_accounts=card.reference.accounts, grade=loaded.grade, grade_meaning=grade.meaning if grade else None,
        grade_reasons=list(grade.reasons) if grade else [], metrics=_metrics(card),
    )  # fmt: skip


def _metrics(card: ModelCard) -> dict[str, Measured]:
    """The metrics of the card's rung beside its baseline's; none for a card without metrics."""
    rivals = card.metrics.get(card.baseline.rung, {}) if card.baseline else {}
    return {
        name: Measured(value=value, low=low, high=high, baseline=rivals.get(name, (None,))[0])
        for name, (value, low, high) in card.metrics.get(card.rung, {}).items()
    }
