"""A bucket kept ready: laid out for the kernel once, then asked for one account at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.events import Events
from features.history import History
from features.moments import microseconds
from features.packing import Packed, pack
from features.plan import FeatureSet
from features.table import one_row

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PreparedBucket:
    """The accounts of one bucket of a history, with the events that the features select, packed."""

    features: FeatureSet
    position: dict[str, int]
    first_known: Array
    packed: Packed

    @classmethod
    def read(cls, history: History, bucket: int, features: FeatureSet) -> "PreparedBucket":
        """Read and pack a bucket at the history's versions."""
        events = Events.from_history(history, bucket, features.plan.streams)
        position = {account: place for place, account in enumerate(events.accounts.to_pylist())}
        return cls(features, position, events.first_known, pack(events, features.plan))

    @property
    def size(self) -> int:
        """Bytes of memory, the account ids left out."""
        arrays = [self.first_known, *(part for part in self.packed if isinstance(part, np.ndarray))]
        return sum(array.nbytes for array in arrays)

    def row(self, account_id: str, as_of: datetime) -> Array | None:
        """The account's features, shape (len(features),): bit for bit the table's row. None if not known by as_of."""
        account, moment = self.position.get(account_id), microseconds(as_of)
        if account is None or self.first_known[account] > moment:
            return None
        alone = self.packed._replace(offsets=np.ascontiguousarray(self.packed.offsets[:, account : account + 2]))
        return one_row(alone, self.features.plan.program, as_of)
