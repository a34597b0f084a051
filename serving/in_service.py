"""What is in service at one moment: all that an answer rests on, taken together once per request."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from serving.accounts import Accounts
from serving.api.problems import Problem
from serving.inline import InlineAccounts
from serving.model_store import LoadedModel
from serving.settings import Settings


@dataclass(frozen=True)
class InService:
    """Exchanged whole when a champion changes, never half."""

    settings: Settings
    models: Mapping[str, LoadedModel]
    """By target."""
    problems: Mapping[str, Problem]
    """Of each target without a model: why."""
    accounts: Accounts
    inline: InlineAccounts
    database: sa.Engine
    """The operational database; whoever asks it is ready for DatabaseUnavailable."""
