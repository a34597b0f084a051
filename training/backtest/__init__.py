"""A registered model at past moments: what it would have said then, and what happened."""

__all__ = [
    "backtest",
    "series",
]
