"""What can go wrong when tables are published."""


class PublishError(Exception):
    """A table cannot be published as asked; the message says which, why, and what to do."""
