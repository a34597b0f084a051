"""Registered model and history in, scores with their reasons out: over HTTP for a CRM, in tables for the batch."""
