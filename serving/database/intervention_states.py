"""The states of an intervention, and which leads to which: see lifecycle.py."""

PROPOSED, ASSIGNED, CLAIMED, IN_PROGRESS = "proposed", "assigned", "claimed", "in_progress"
DONE, DISMISSED, EXPIRED = "done", "dismissed", "expired"
OPEN = (PROPOSED, ASSIGNED, CLAIMED, IN_PROGRESS)
CLOSED = (DONE, DISMISSED, EXPIRED)
MAY = {
    PROPOSED: (ASSIGNED, CLAIMED, DISMISSED, EXPIRED),
    ASSIGNED: (ASSIGNED, CLAIMED, IN_PROGRESS, DONE, DISMISSED, EXPIRED),
    CLAIMED: (ASSIGNED, IN_PROGRESS, DONE, DISMISSED),
    IN_PROGRESS: (ASSIGNED, DONE, DISMISSED),
}
"""To which states each one leads. Back to assigned is a hand-over."""
