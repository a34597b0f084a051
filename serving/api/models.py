"""GET /v1/models: what is in service, how far it can be relied on, and which targets have no model."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from serving.api.dependencies import Served
from serving.api.problems import NOT_READY
from serving.api.routes import problems
from serving.api.schemas import ProblemDetail
from serving.model_store import Grade, LoadedModel

router = APIRouter()


class Measured(BaseModel):
    """A metric on the newest closed horizon, which the model had not seen, with its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None
    baseline: float | None = Field(description="the same of the simple rule that the model must beat")


class Model(BaseModel):
    """The champion of one target."""

    target: str
    definition: str = Field(description="what is predicted, and of whom")
    answer: str = Field(description="probability, amount or days")
    horizon_days: int
    model: str = Field(description="name of the registered model")
    model_version: str
    rung: str = Field(description="what kind of model it is: recency, logistic, lightgbm ...")
    trained_as_of: datetime | None = Field(
        description="it learnt from nothing known later; percentiles rank among the accounts of this moment"
    )
    reference_accounts: int | None = Field(description="how many accounts percentiles rank among")
    grade: Grade | None = Field(description="null for a model that was never graded")
    grade_meaning: str | None = Field(description="what the letter says, in a line")
    grade_reasons: list[str] = Field(description="what earned it, and what kept it from the next one")
    metrics: dict[str, Measured]


class Missing(BaseModel):
    """A target that is not served, and why."""

    target: str
    problem: ProblemDetail


class Models(BaseModel):
    """The champions in service, in the order of the project's targets."""

    models: list[Model]
    missing: list[Missing] = Field(description="targets without a model; asking for their scores gives this problem")


@router.get("/models", responses=problems(NOT_READY))
async def models(service: Served) -> Models:
    """The champions in service, and what a reader needs to judge their scores."""
    missing = [
        Missing(target=target, problem=ProblemDetail(**problem.members()))
        for target, problem in service.problems.items()
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
