"""Ingest: a source's rows are read, checked and added to the history; refused rows go to the quarantine with their reason."""

__all__ = ["ingestion", "sources", "validation"]
