"""What people read of a model: the report page, its plots, the model card."""

__all__ = [
    "answer_plots",
    "model_card",
    "plots",
    "report",
]
