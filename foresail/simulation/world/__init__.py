"""The simulated world: its settings, its accounts, and what happens to them day by day."""
