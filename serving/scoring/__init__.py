"""Features in, scores and reasons out. Pure."""
