"""One night at work: what it rests on, its journal, its folder and its lock."""
