"""The simulated world: its settings, its accounts, and what happens to them day by day."""

__all__ = ["accounts", "coefficients", "dynamics", "histories", "projections", "randomness", "settings", "world"]
