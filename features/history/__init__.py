"""The history of accounts: the streams, their Delta tables, and everything that corrects or measures them."""

__all__ = [
    "arrivals",
    "attributes",
    "erasure",
    "file_lock",
    "identities",
    "quarantine",
    "retention",
    "status",
    "store",
    "streams",
]
