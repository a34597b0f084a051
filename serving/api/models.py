"""GET /v1/models: what is in service, and how far it can be relied on."""

from fastapi import APIRouter

from serving.api.dependencies import Served
from serving.api.schemas import Model, Models

router = APIRouter()


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
