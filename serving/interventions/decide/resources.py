"""Resources: the capacity of each owner, or of the members of a role together, and what is left of it in a week."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serving.interventions.decide.candidates import CONTACTS
from serving.interventions.decide.earlier_decisions import EarlierDecisions
from serving.interventions.declare.settings import InterventionSettings

WEEKS_A_MONTH = 52 / 12


@dataclass(frozen=True)
class Resource:
    """One owner in a role, or all members of a role; `owner` is None of the latter, and of accounts that nobody owns."""

    role: str
    owner: str | None = None

    def __str__(self) -> str:
        return f"{self.role} {self.owner}" if self.owner else self.role


@dataclass(frozen=True)
class Resources:
    """The resources of a plan, the interventions that each can still begin this week, and the resource of each candidate."""

    named: tuple[Resource, ...]
    left: NDArray[np.float64]
    """(resources,); infinite without a declared capacity."""
    of_pair: NDArray[np.int64]
    """(candidates,): places among them."""


def resources_of(
    pairs: pd.DataFrame, settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime
) -> Resources:
    """The resources of these candidates, and what is left of them in the ISO week of `as_of`."""
    needed, of_pair = _needed(pairs, settings)
    named = sorted(needed, key=str)
    number_of = {resource: number for number, resource in enumerate(named)}
    place = np.array([number_of[resource] for resource in needed], dtype=np.int64)
    begun = earlier.since(week_of(as_of))
    left = [_capacity(resource, settings) - _begun_by(resource, begun, settings) for resource in named]
    return Resources(tuple(named), np.maximum(np.array(left, dtype=np.float64), 0.0), place[of_pair])


def _needed(pairs: pd.DataFrame, settings: InterventionSettings) -> tuple[list[Resource], NDArray[np.int64]]:
    """The resources, each once, and of each candidate its place among them; pairs may be millions, resources are few."""
    roles, of_role = _coded(pairs["role"])
    owned = np.array([settings.roles[role].members == "owner" for role in roles], dtype=np.bool_)
    owner_names, of_owner = _coded(pairs["owner"])
    both = of_role * (len(owner_names) + 1) + np.where(owned[of_role] & (of_owner >= 0), of_owner + 1, 0)
    different, of_pair = np.unique(both, return_inverse=True)
    codes = [divmod(int(pair), len(owner_names) + 1) for pair in different]
    return [Resource(roles[role], owner_names[owner - 1] if owner else None) for role, owner in codes], of_pair


def _coded(column: "pd.Series[str]") -> tuple[list[str], NDArray[np.int64]]:
    codes, words = pd.factorize(column)
    return [str(word) for word in words], codes.astype(np.int64)


def budget_left(settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime) -> float:
    """The budget that is left in the ISO week of `as_of`; infinite without a budget."""
    if settings.policy.budget_per_week is None:
        return np.inf
    begun = earlier.since(week_of(as_of))
    spent = begun.loc[begun["origin"].isin(CONTACTS), "cost"].sum()
    return max(settings.policy.budget_per_week - float(spent), 0.0)


def week_of(moment: datetime) -> datetime:
    """The beginning of the ISO week of a moment: Monday 00:00 UTC."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def one_more_member(resource: Resource, settings: InterventionSettings, price: float) -> float:
    """The value of one more member of the role in a month, if each place brought what the first one more place brings.

    `price`: `Plan.price`, the value of one more place a week; 0 where no candidate waits for a place.
    """
    return (settings.roles[resource.role].capacity_per_week or 0) * WEEKS_A_MONTH * price


def owners_of(
    chosen: pd.DataFrame, settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime
) -> list[str | None]:
    """The owner of each intervention: the account's owner, or the member of the role with the least open work.

    `chosen` comes in the order in which work is given out; of equal members the first in the list gets it.
    """
    busy = Counter(earlier.open_at(as_of)["owner"].dropna())
    assigned: list[str | None] = []
    for role, owner in zip(chosen["role"], chosen["owner"], strict=True):
        members = settings.roles[role].members
        member = _owner_or_none(owner) if members == "owner" else _least_busy(members, busy)
        busy.update([member] if member is not None else [])
        assigned.append(member)
    return assigned


def _owner_or_none(owner: Any) -> str | None:
    return owner if isinstance(owner, str) else None


def _least_busy(members: Sequence[str], busy: Counter[str]) -> str | None:
    return min(members, key=lambda member: busy[member], default=None)


def _capacity(resource: Resource, settings: InterventionSettings) -> float:
    role = settings.roles[resource.role]
    if role.capacity_per_week is None:
        return np.inf
    return role.capacity_per_week * (1 if role.members == "owner" else len(role.members))


def _begun_by(resource: Resource, begun: pd.DataFrame, settings: InterventionSettings) -> int:
    own = begun["role"] == resource.role
    if settings.roles[resource.role].members == "owner":
        own &= begun["owner"].isna() if resource.owner is None else begun["owner"] == resource.owner
    return int(own.sum())
