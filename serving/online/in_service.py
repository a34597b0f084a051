"""What is in service at one moment: all that an answer rests on, taken together once per request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sqlalchemy as sa

from features.engine.feature_names import Names
from registry.errors import ModelUnavailable
from registry.loader import LoadedModel
from serving.accounts.inline import InlineAccounts
from serving.accounts.reader import Accounts
from serving.online.settings import Settings
from serving.segmentation.stakes import value_model


@dataclass(frozen=True)
class InService:
    """Exchanged whole when a champion changes, never half."""

    settings: Settings
    models: Mapping[str, LoadedModel]
    """By target."""
    missing: Mapping[str, ModelUnavailable]
    """Of each target without a model: why."""
    accounts: Accounts
    inline: InlineAccounts
    database: sa.Engine
    """The operational database; whoever asks it is ready for DatabaseUnavailable."""
    cuts: Mapping[str, float] = field(default_factory=dict)
    """By name, those that the last night drew; empty before the first."""

    @cached_property
    def names(self) -> Names:
        """The features of a row of `accounts`, in their order."""
        return Names(self.accounts.features.names)

    @cached_property
    def value_model(self) -> LoadedModel | None:
        """The one that foresees what an account will bring."""
        return value_model(self.models)
