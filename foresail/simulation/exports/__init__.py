"""The exports of the simulated company's systems, with the faults that real reporting has."""
