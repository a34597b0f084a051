"""Where tests put what they need only while they run."""

import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 8 * 2**30
"""Free bytes that a folder in memory must have. All tests together leave less than 2 GB there."""


def fast_folder():
    """A folder in memory where there is room, for a disk that others use takes half a second to make one database."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    return MEMORY if in_memory else Path("/tmp")
