"""What a company declares: playbooks, rules, SLAs, conditions, calendar; and contradictions within it."""

__all__ = ["calendar", "columns", "expressions", "inconsistent", "library", "settings"]
