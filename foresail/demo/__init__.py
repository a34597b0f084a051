"""`foresail demo`: the whole way once, each step shown as the command that does it."""

__all__ = ["demo", "simulated"]
