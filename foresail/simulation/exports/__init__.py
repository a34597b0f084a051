"""The exports of the simulated company's systems, with the faults that real reporting has."""

__all__ = ["exports", "reporting", "writing"]
