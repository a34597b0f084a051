"""The first part of a night: everything that is new becomes part of the history, and what the night rests on is fixed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from features.history.arrivals import last_arrivals
from features.history.store import History
from registry.errors import NoChampion
from registry.loader import effect_version, version_of


@dataclass(frozen=True)
class NightlySource:
    """A source of the project. `ingest` brings what is new and says what went wrong, None where nothing did."""

    name: str
    stream: str
    ingest: Callable[[], str | None]


def data_as_of(history: History, sources: Sequence[NightlySource], as_of: datetime) -> datetime | None:
    """The moment up to which every source has been read: the oldest of their last; None where one never was.

    No later than `as_of`; a project without sources lives of posted events, which are always there.
    """
    arrivals = last_arrivals(history)
    read = [arrivals.get((source.stream, source.name)) for source in sources]
    moments = [arrival.as_of for arrival in read if arrival is not None]
    return min([as_of, *moments]) if len(moments) == len(sources) else None


def champions(tracking_uri: str, names: Mapping[str, str]) -> dict[str, str]:
    """By target the version of its champion; NoChampion where one has none: scores that lacked it would be read as complete."""
    return {target: version_of(tracking_uri, name) for target, name in names.items()}


def learnt_effects(tracking_uri: str, names: Mapping[str, str], as_of: datetime) -> dict[str, str]:
    """By playbook the version of the effect learnt by `as_of`; none of one that no experiment had spoken of by then."""
    found = {}
    for playbook, name in names.items():
        with suppress(NoChampion):
            found[playbook] = effect_version(tracking_uri, name, as_of)
    return found
