"""From scores to decisions: candidates, expected effects, control groups, the optimizer within capacity and budget. Pure."""
