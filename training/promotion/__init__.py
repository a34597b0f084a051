"""Champion and challenger: the gate between them, promotion and rollback."""

__all__ = [
    "gate",
    "promotion",
]
