"""Interventions in the database: begun, moved from state to state, swept at their deadlines, written to the outbox."""
