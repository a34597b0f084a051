"""What is kept of an account between nights: states, posted events, last scores, listing and profile."""
