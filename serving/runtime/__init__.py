"""What a running process needs: champions kept current, API keys, limits, idempotency, periodic work."""
