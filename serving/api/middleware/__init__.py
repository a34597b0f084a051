"""What surrounds every route: API keys, limits, the log, problems for what fails."""
