"""GET /v1/models: what is in service, how far it can be relied on, and which targets have no model."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

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
    told, card = loaded.target, loaded.model.card
    graded, reference = card.get("grade") or {}, card["reference"]
    return Model(
        target=told.name, definition=told.definition, answer=told.answer, horizon_days=told.horizon_days,
        model=loaded.name, model_version=loaded.version, rung=card["rung"], trained_as_of=card.get("trained_as_of"),
        reference_accounts=reference.get("accounts"), grade=loaded.grade, grade_meaning=graded.get("meaning"),
        grade_reasons=graded.get("reasons", []), metrics=_metrics(card),
    )  # fmt: skip


def _metrics(card: Mapping[str, Any]) -> dict[str, Measured]:
    """The metrics of the card's rung beside its baseline's; none for a card without metrics."""
    by_rung = card.get("metrics", {})
    rivals = by_rung.get(card.get("baseline", {}).get("rung"), {})
    return {
        name: Measured(value=value, low=low, high=high, baseline=rivals.get(name, [None])[0])
        for name, (value, low, high) in by_rung.get(card["rung"], {}).items()
    }
