"""Whose time interventions take: of each owner, or of the members of a role together; and how much of it a week has left."""

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
    """What a plan may use: the resources, how many interventions each can still begin this week, and which each candidate needs."""

    named: tuple[Resource, ...]
    left: NDArray[np.float64]
    """(resources,); infinite where nobody counts."""
    of_pair: NDArray[np.int64]
    """(candidates,): places among them."""


def resources_of(
    pairs: pd.DataFrame, settings: InterventionSettings, before: EarlierDecisions, as_of: datetime
) -> Resources:
    """What these candidates need, and what is left of it in the ISO week of `as_of`."""
    needed, of_pair = _needed(pairs, settings)
    named = sorted(needed, key=str)
    number_of = {resource: number for number, resource in enumerate(named)}
    place = np.array([number_of[resource] for resource in needed], dtype=np.int64)
    begun = before.since(week_of(as_of))
    left = [_capacity(resource, settings) - _begun_by(resource, begun, settings) for resource in named]
    return Resources(tuple(named), np.maximum(np.array(left, dtype=np.float64), 0.0), place[of_pair])


def _needed(pairs: pd.DataFrame, settings: InterventionSettings) -> tuple[list[Resource], NDArray[np.int64]]:
    """The resources, each once, and of each candidate its place among them; pairs may be millions, resources are few."""
    roles, of_role = _coded(pairs["role"])
    owned = np.array([settings.roles[role].members == "owner" for role in roles], dtype=np.bool_)
    owners_of, of_owner = _coded(pairs["owner"])
    both = of_role * (len(owners_of) + 1) + np.where(owned[of_role] & (of_owner >= 0), of_owner + 1, 0)
    different, of_pair = np.unique(both, return_inverse=True)
    told_apart = [divmod(int(one), len(owners_of) + 1) for one in different]
    return [Resource(roles[role], owners_of[owner - 1] if owner else None) for role, owner in told_apart], of_pair


def _coded(column: "pd.Series[str]") -> tuple[list[str], NDArray[np.int64]]:
    codes, words = pd.factorize(column)
    return [str(word) for word in words], codes.astype(np.int64)


def budget_left(settings: InterventionSettings, before: EarlierDecisions, as_of: datetime) -> float:
    """What may still be spent in the ISO week of `as_of`; infinite where there is no budget."""
    if settings.policy.budget_per_week is None:
        return np.inf
    begun = before.since(week_of(as_of))
    spent = begun.loc[begun["origin"].isin(CONTACTS), "cost"].sum()
    return max(settings.policy.budget_per_week - float(spent), 0.0)


def week_of(moment: datetime) -> datetime:
    """When the ISO week of a moment began, in UTC: its Monday's midnight."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def one_more_member(resource: Resource, settings: InterventionSettings, price: float) -> float:
    """What one more person with the capacity of the role would bring in a month, if each place did what the first one more does.

    `price`: `Plan.price`, what one more place a week would bring; 0 where nobody waits for one, whatever the last one brings.
    """
    return (settings.roles[resource.role].capacity_per_week or 0) * WEEKS_A_MONTH * price


def owners_of(
    chosen: pd.DataFrame, settings: InterventionSettings, before: EarlierDecisions, as_of: datetime
) -> list[str | None]:
    """Who is to do each intervention: the account's owner, or the member of the role with the least open work.

    `chosen` comes in the order in which work is given out; of those with equally little the first in the list has it.
    """
    busy = Counter(before.open_at(as_of)["owner"].dropna())
    found: list[str | None] = []
    for role, owner in zip(chosen["role"], chosen["owner"], strict=True):
        members = settings.roles[role].members
        one = _owner_or_none(owner) if members == "owner" else _least_busy(members, busy)
        busy.update([one] if one is not None else [])
        found.append(one)
    return found


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
