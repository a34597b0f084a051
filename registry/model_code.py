"""The code that travels with every registered model, as a module of this installation."""

from typing import Any

from registry.store import imported_mlflow


def model_code() -> Any:
    """`registry.registered_model`, imported with MLflow kept quiet."""
    imported_mlflow()
    from registry import registered_model

    return registered_model
