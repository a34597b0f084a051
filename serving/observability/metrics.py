"""What is measured of requests. While a request is answered its figures are only noted; they are counted when it is done.

`stage`, `note_accounts` and `note_scores` may be called anywhere on the way of an answer, in threads too; outside of a request they
do nothing.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter_ns

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

REQUESTS = Histogram(
    "foresail_request_seconds", "Time for an answer, by route and status", ("route", "status"), buckets=SECONDS
)
STAGES = Histogram("foresail_stage_seconds", "Time that a stage of an answer takes", ("stage",), buckets=SECONDS)
SCORES = Counter(
    "foresail_scores",
    "Scores given, by tenth of the percentile in the model's reference population; none: not to be scored",
    ("target", "tenth"),
)
MODELS = Gauge(
    "foresail_model_info",
    "1: in service; 0: was before",
    ("target", "model", "version"),
    multiprocess_mode="mostrecent",
)
INBOX_EVENTS = Gauge(
    "foresail_inbox_events", "Posted events that are not yet in the history", multiprocess_mode="mostrecent"
)
INBOX_SECONDS = Gauge(
    "foresail_inbox_oldest_seconds", "How long the oldest of them has waited", multiprocess_mode="mostrecent"
)

# Looking a labelled metric up costs as much as counting with it.
_request, _stage, _score = cache(REQUESTS.labels), cache(STAGES.labels), cache(SCORES.labels)


@dataclass(slots=True)
class Noted:
    """What one request did, as far as it can be told without naming anybody."""

    begun: int = field(default_factory=perf_counter_ns)
    stages: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, begin and end in nanoseconds of `perf_counter_ns`; a stage may come several times."""
    accounts: int = 0
    models: dict[str, str] = field(default_factory=dict)
    """Target → version of the model that answered."""
    tenths: Tally[tuple[str, str]] = field(default_factory=Tally)
    """How many scores, by target and tenth."""

    def seconds(self) -> dict[str, float]:
        """By stage, all its times together."""
        together: dict[str, float] = {}
        for name, begun, ended in self.stages:
            together[name] = together.get(name, 0.0) + (ended - begun) / 1e9
        return together


NOTED: ContextVar[Noted | None] = ContextVar("noted", default=None)


class stage:  # noqa: N801  it reads as a statement: with stage("lookup")
    """Notes how long the block takes, under the name of a stage: lookup, features, predict, explain."""

    __slots__ = ("_begun", "_name")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._begun = perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        noted = NOTED.get()
        if noted is not None:
            noted.stages.append((self._name, self._begun, perf_counter_ns()))


def note_accounts(number: int) -> None:
    """Note how many accounts the request asks for."""
    noted = NOTED.get()
    if noted is not None:
        noted.accounts += number


def note_scores(scores: Iterable[tuple[str, str, float | None]]) -> None:
    """Note of each score its target, the version of the model, and its percentile, 0 to 1; None where there is no score."""
    noted = NOTED.get()
    if noted is not None:
        for target, version, percentile in scores:
            noted.models[target] = version
            noted.tenths[target, _tenth(percentile)] += 1


def _tenth(percentile: float | None) -> str:
    """0.0 to 0.1 is tenth 1, 0.9 to 1.0 is tenth 10."""
    return "none" if percentile is None else str(min(int(percentile * 10) + 1, 10))


def count(noted: Noted, stages: Mapping[str, float], route: str, status: int, seconds: float) -> None:
    """Count a request that is done, and took so many seconds, in all and by stage."""
    _request(route, str(status)).observe(seconds)
    for name, taken in stages.items():
        _stage(name).observe(taken)
    for (target, tenth), number in noted.tenths.items():
        _score(target, tenth).inc(number)


def in_service(before: Iterable[tuple[str, str, str]], models: Iterable[tuple[str, str, str]]) -> None:
    """Say which (target, name, version) are in service now, and that those before are not."""
    for labels in before:
        MODELS.labels(*labels).set(0)
    for labels in models:
        MODELS.labels(*labels).set(1)


def waiting(events: int, oldest_seconds: float) -> None:
    """Say how many posted events wait for the night, and how long the oldest has."""
    INBOX_EVENTS.set(events)
    INBOX_SECONDS.set(oldest_seconds)
