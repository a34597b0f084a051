"""How good probabilities are: weighted metrics and their bootstrap intervals."""
