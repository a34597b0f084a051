"""The leakage audit: probes in the future of accounts prove that no feature sees the future."""

__all__ = ["audit"]
