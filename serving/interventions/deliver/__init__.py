"""The delivery of outbox messages: webhooks to systems, mail and chat to people. docs/guides/delivery.md describes it."""

__all__ = [
    "addresses",
    "attempt",
    "channel_rate_limit",
    "chat_bots",
    "dispatch",
    "leases",
    "message_texts",
    "outbox_admin",
    "people",
    "secrets",
    "status_reports",
    "webhook_signatures",
    "webhooks",
]
