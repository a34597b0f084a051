"""The steps of a night, a file each; `serving.nightly.run.STEPS` lists them in their order.

Each step does what is not finished yet, and leaves the same whatever interrupts it. The steps up to `pin` bring in what is
new. The steps after it see nothing but what was pinned, so that their files come out the same however often they are made:
a file that is there is finished.
"""

__all__ = ["decide", "explain", "fold", "ingest", "load", "look_back", "pin", "score", "segment", "states", "tables"]
