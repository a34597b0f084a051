"""The terms of a request for scores, once its accounts have been looked up: the query, and a row of features for each account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from features.arrays import Array
from registry.loader import LoadedModel
from serving.accounts.last_scores import NOTHING, Remembered
from serving.online.changes import Moment
from serving.online.schemas import Explain


@dataclass(frozen=True)
class ScoreQuery:
    """The models, how far to explain, and the moment: the same for every account of a request."""

    models: Sequence[LoadedModel]
    explain: Explain
    as_of: datetime


class AccountRow(NamedTuple):
    """An account to score: its features, and what the last night left of it."""

    account_id: str
    features: Array
    remembered: Remembered = NOTHING

    def moment_before(self, target: str) -> Moment | None:
        """The moment of the previous score; None where there is none."""
        earlier = self.remembered.earlier.get(target)
        return (self.account_id, earlier.as_of) if earlier else None
