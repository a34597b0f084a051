"""Scores on demand: the request, the accounts it names, the answer with its reasons and changes."""
