"""The sending of what the outbox holds: webhooks of systems, and people by mail and chat. docs/delivery.md describes it."""
