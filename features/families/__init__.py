"""The declared features, one family a file, and the populations and values that are declared over them."""

__all__ = ["contracts", "eligibility", "purchases", "segmentation", "signals"]
