"""Models compared on what happened: comparison, selection, reliability, slices, profit, grade, drivers."""
