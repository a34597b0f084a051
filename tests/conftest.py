"""Property tests look for something new at every run on a desk, and always try the same cases where a run decides."""

import os

from hypothesis import settings

settings.register_profile("decides", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("decides")
