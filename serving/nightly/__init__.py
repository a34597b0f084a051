"""The night: every account scored, its segmentation decided, and all of it where the service and reports read it.

| file | what it does |
| --- | --- |
| run | a night from beginning to end: `STEPS` in their order, the summary |
| steps/ | the steps, a file each |
| night/ | what steps share: the plan, the journal, the folder of files, the pins, the previous night, the lock |
| on_demand | decisions between nights |
"""

from serving.nightly.night.journal import NightRefused
from serving.nightly.night.lock import NightRunning
from serving.nightly.night.night import Explained, Plan
from serving.nightly.night.pins import NightlySource
from serving.nightly.on_demand import Planned, decide_now
from serving.nightly.run import NightResult, run_night

__all__ = [
    "Explained",
    "NightRefused",
    "NightResult",
    "NightRunning",
    "NightlySource",
    "Plan",
    "Planned",
    "decide_now",
    "run_night",
]
