"""Backtests: a registered model put back to past moments, its answers beside what happened."""

__all__ = [
    "backtest",
    "series",
]
