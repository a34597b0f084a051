"""What GET /v1/models gives."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from serving.online.schemas import ProblemDetail


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
    grade: Literal["A", "B", "C", "none"] | None = Field(description="null for a model that was never graded")
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
