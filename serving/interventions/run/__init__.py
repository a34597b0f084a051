"""The life of an intervention in the database: begun, moved from state to state, escalated at its deadlines."""

__all__ = ["deadlines", "lifecycle", "listing", "outbox", "triggers", "write_decisions"]
