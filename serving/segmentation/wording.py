"""Numbers in the words of a move."""


def number(value: float) -> str:
    """As people write it: 12,400 or 0.83."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}".rstrip("0").rstrip(".")
