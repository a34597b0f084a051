"""GET /v1/models: what is in service, and how far it can be relied on."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from serving.api.dependencies import Served

router = APIRouter()


class Model(BaseModel):
    """The champion of one target."""

    target: str
    definition: str = Field(description="what is predicted, and of whom")
    answer: str = Field(description="probability, amount or days")
    horizon_days: int
    model: str = Field(description="name of the registered model")
    model_version: str
    grade: str | None = Field(description="A, B, C or none; null for a model that was never graded")


class Models(BaseModel):
    """The champions in service, in the order of the project's targets."""

    models: list[Model]


@router.get("/models")
async def models(service: Served) -> Models:
    """The champions in service."""
    return Models(models=[_model(target, service) for target in service.models])


def _model(target: str, service: Served) -> Model:
    loaded = service.models[target]
    told = loaded.target
    return Model(
        target=target, definition=told.definition, answer=told.answer, horizon_days=told.horizon_days,
        model=loaded.name, model_version=loaded.version, grade=loaded.grade,
    )  # fmt: skip
