"""The night: every account scored, its standing decided, and all of it where the service and reports read it.

| file | what it does |
| --- | --- |
| run | a night from beginning to end: the steps in their order, the summary |
| night | what a night was told, what it rests on, what it has finished |
| steps, stand | the steps |
| gather | what a night begins with: sources, champions, how old the data is |
| before | what the night before left |
| score | the scores of a bucket |
| explain | whose scores get reasons |
| decide | whom to act on, and acting |
| on_demand | the same between nights |
| load | a night's files into the operational database |
| journal | what is finished, in the database |
| folder | what steps hand on to each other, in files that are whole or not there |
| lock | one night at a time |
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
