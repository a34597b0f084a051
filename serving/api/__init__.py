"""What crosses the wire: requests, answers, inline events and problems."""
