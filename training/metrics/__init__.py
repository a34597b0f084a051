"""How good probabilities are: weighted metrics and their bootstrap intervals."""

__all__ = [
    "probabilities",
]
