"""The declarations of a company about interventions, as in foresail.toml.

The description of a field ends the sentence of an error about it. Conditions (`when`) are checked where columns are
known: serving/interventions/declare/expressions.py.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StrictInt, model_validator

Severity = Literal["low", "medium", "high", "critical"]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Length:
    """A declared length of time. Hours and days are counted differently: 24h and 1d are not the same."""

    count: int
    unit: str
    """s, m, h: of working time; d, w: days and weeks of working days."""

    @property
    def is_of_days(self) -> bool:
        return self.unit in {"d", "w"}

    @property
    def elapsed(self) -> timedelta:
        """The length by the clock, without regard to working time."""
        return timedelta(seconds=self.count * _SECONDS[self.unit])

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def _read_length(value: object) -> Length:
    if isinstance(value, Length):
        return value
    found = re.fullmatch(r"(\d{1,5})([smhdw])", value) if isinstance(value, str) else None
    if found is None or not int(found[1]):
        raise ValueError
    return Length(int(found[1]), found[2])


Span = Annotated[Length, BeforeValidator(_read_length), PlainSerializer(str, return_type=str)]
"""A length of time in foresail.toml: 15m, 24h, 2d, 6w."""

SPAN = 'a whole number and a unit, like "15m", "24h", "2d" or "6w"'
WHEN = "an SQL condition over the documented columns (docs/reference/rules.md), like \"churn_band = 'high'\""
HOURS = r"^always$|^[A-Z][a-z]{2}(-[A-Z][a-z]{2})?(,[A-Z][a-z]{2}(-[A-Z][a-z]{2})?)* \d\d:\d\d-\d\d:\d\d$"


class Declared(BaseModel):
    """A table of foresail.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class Role(Declared):
    """A role: the owner of each account, or a group of people."""

    members: Literal["owner"] | tuple[str, ...] = Field(
        default="owner", description='"owner", or a list of people like ["ann", "bo"]'
    )
    capacity_per_week: StrictInt | None = Field(
        default=None,
        ge=0,
        description="a whole number of interventions that one member can begin in a week; left out: any",
    )
    channels: tuple[str, ...] = Field(default=(), description="a list of names of [channels] that reach its members")


class EffectPrior(Declared):
    """The assumed effect of a playbook, until experiments measure it."""

    prior: float = Field(
        ge=-1, le=1, description="a share of what is at stake that acting keeps or wins, -1 to 1, like 0.08"
    )
    strength: float = Field(
        default=200.0, gt=0, description="a number above 0: how many accounts of an experiment the assumption is worth"
    )


class Step(Declared):
    do: str = Field(min_length=1, description='what is to be done, like "call"')
    within: Span = Field(description=SPAN)


class Playbook(Declared):
    """A prescribed response: its condition, target, role, cost, assumed effect and steps."""

    when: str = Field(min_length=1, description=WHEN)
    outcome: str = Field(alias="for", min_length=1, description='the target that it should change, like "churn"')
    role: str = Field(min_length=1, description="the name of a table [roles.NAME]")
    cost: float = Field(default=0.0, ge=0, description="an amount, 0 or more: what doing it once costs")
    effect: EffectPrior = Field(description="{ prior = 0.08, strength = 200 }")
    control: float = Field(default=0.10, ge=0, lt=1, description="a share from 0 to below 1 that is kept as control")
    cooldown_days: StrictInt = Field(default=60, ge=0, description="a whole number of days, 0 or more")
    claim_within: Span | None = Field(default=None, description=SPAN)
    steps: tuple[Step, ...] = Field(default=(), description='a list like [ { do = "call", within = "24h" } ]')
    say: str | None = Field(default=None, description="a text: what to tell the account, or how to go about it")


class Rule(Declared):
    """A named warning beside the models. With `start` it begins a playbook whatever the expected value, within capacity."""

    when: str = Field(min_length=1, description=WHEN)
    severity: Severity = Field(default="high", description='"low", "medium", "high" or "critical"')
    start: str | None = Field(default=None, description="the name of a table [playbooks.NAME]; left out: it only warns")


class Sla(Declared):
    """A promise about events: the roles that are notified, the time to claim and resolve, the role of the escalation."""

    when: str = Field(min_length=1, description=WHEN + "; of an event besides: case_severity, event_kind and others")
    on: Literal["event"] = Field(default="event", description='"event"')
    notify: tuple[str, ...] = Field(min_length=1, description="a list of roles; the first one is to claim it")
    claim_within: Span | None = Field(default=None, description=SPAN)
    resolve_within: Span | None = Field(default=None, description=SPAN)
    escalate_to: str | None = Field(default=None, description="the name of a table [roles.NAME]")
    steps: tuple[Step, ...] = Field(default=(), description='a list like [ { do = "repair plan", within = "24h" } ]')
    business_hours: str | None = Field(
        default=None, pattern=HOURS, description='like "Mon-Fri 09:00-18:00", or "always"; left out: [calendar] has it'
    )

    @model_validator(mode="after")
    def _has_a_deadline_to_escalate(self) -> "Sla":
        if self.escalate_to is not None and self.claim_within is None and self.resolve_within is None:
            raise ValueError
        return self


class Calendar(Declared):
    """Working hours, timezone and holidays."""

    business_hours: str = Field(
        default="Mon-Fri 09:00-18:00", pattern=HOURS, description='like "Mon-Fri 09:00-18:00", or "always"'
    )
    timezone: str | None = Field(default=None, description='a timezone like "Europe/Berlin"; left out: the project\'s')
    country: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
        description='a country whose holidays count, and its part where they differ, like "CN" or "DE-BY"',
    )
    closed: tuple[date, ...] = Field(default=(), description="a list of further days off, like [2026-12-24]")


class Channel(Declared):
    """The destination of messages: a webhook, or people by mail or chat. Secrets are variables of the environment: ${NAME}."""

    kind: Literal["webhook", "people"] = Field(description='"webhook" or "people"')
    url: str = Field(
        min_length=1,
        description='of a webhook https://..., of people an URL of Apprise; what is secret in it as "${NAME}" of the environment',
    )
    secrets: tuple[str, ...] = Field(
        default=(), description='of a webhook: a list like ["${CRM_SECRET}"], the newest first; all of them sign'
    )
    types: tuple[str, ...] = Field(
        default=(),
        description='of a webhook: the types of messages that go there, like ["intervention.assigned"]; left out: all',
    )
    per_minute: float | None = Field(default=None, gt=0, description="a number of messages above 0; left out: any")
    digest: Span | None = Field(
        default=None, description=SPAN + ": messages of so long are told together; urgent ones are not held back"
    )
    allow_private: bool = Field(
        default=False, description="true or false: whether the address may be one inside your own network"
    )


class IncomingWebhook(Declared):
    """A system that reports the status of interventions."""

    secrets: tuple[str, ...] = Field(min_length=1, description='a list like ["${JIRA_SECRET}"], the newest first')
    signature: Literal["standard", "hub"] = Field(
        default="standard", description='"standard" (Standard Webhooks) or "hub" (X-Hub-Signature: sha256=...)'
    )
    intervention_id: str = Field(
        default="intervention_id", description="where in its JSON the id is, like issue.fields.foresail"
    )
    status: str = Field(default="status", description="where in its JSON the status is, like issue.fields.status.name")
    actor: str | None = Field(default=None, description="where in its JSON the person is, like user.name")
    words: dict[str, Literal["claimed", "in_progress", "done", "dismissed"]] = Field(
        default={}, description='what its words mean, like { "In Progress" = "in_progress", Closed = "done" }'
    )


class Limits(Declared):
    """Limits of all playbooks together: table [policy]."""

    decided_by: Literal["night", "command"] = Field(
        default="night", description='"night", or "command": nothing begins until somebody calls `foresail decide`'
    )
    budget_per_week: float | None = Field(default=None, ge=0, description="an amount, 0 or more; left out: any")
    holdout: float = Field(
        default=0.0, ge=0, lt=1, description="a share from 0 to below 1 of accounts that no playbook acts on"
    )
    contacts_per_quarter: StrictInt | None = Field(
        default=None, ge=1, description="a whole number, 1 or more: how often one account may be acted on in 90 days"
    )
    expire_days: StrictInt = Field(
        default=30, ge=1, description="a whole number of days, 1 or more, after which what nobody has begun expires"
    )


class Library(Declared):
    """The entries of the ready library (docs/reference/playbooks.md) in use, by name; a table of the same name in the file replaces one."""

    playbooks: tuple[str, ...] | Literal["all"] = Field(default=(), description='a list of names, or "all"')
    rules: tuple[str, ...] | Literal["all"] = Field(default=(), description='a list of names, or "all"')
    sla: tuple[str, ...] | Literal["all"] = Field(default=(), description='a list of names, or "all"')


class InterventionSettings(Declared):
    """All declarations: the project's own and the chosen entries of the library."""

    roles: dict[str, Role] = {}
    playbooks: dict[str, Playbook] = {}
    rules: dict[str, Rule] = {}
    sla: dict[str, Sla] = {}
    calendar: Calendar = Calendar()
    channels: dict[str, Channel] = {}
    webhooks: dict[str, IncomingWebhook] = {}
    policy: Limits = Limits()
