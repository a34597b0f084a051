"""What is true of the simulated company: outcomes, effects of acting, the best allocation."""

__all__ = ["allocation", "tables", "truth"]
