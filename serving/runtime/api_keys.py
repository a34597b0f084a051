"""The API keys as the service knows them: read again every few seconds, so that no request waits for the database."""

import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from serving.database.engine import DatabaseUnavailable
from serving.database.keys import Key, listed, recognised

LOOK_SECONDS = 2.0
"""After so long at most a new key is good and a revoked one is not."""
STAY_SECONDS = 900.0
"""So long after the last successful look the keys stay good: a database that is down must not lock out everybody, and
whoever can cut the service off from it must not keep a revoked key alive for ever."""


class Keyring:
    """Every key of the database, as of the last look that succeeded. `clock` counts seconds and never goes back."""

    def __init__(self, database: Callable[[], sa.Engine], clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._keys: Mapping[str, Key] = {}
        self._read_at: float | None = None

    def look(self) -> None:
        """Read the keys. DatabaseUnavailable leaves those of the look before."""
        begun = self._clock()
        self._keys = {key.key_id: key for key in listed(self._database())}
        self._read_at = begun

    @property
    def is_empty(self) -> bool:
        """Whether there never was a key. A revoked one counts: revoking the last must not open the service."""
        self._check_fresh()
        return self.was_found_empty

    @property
    def was_found_empty(self) -> bool:
        """Whether the last look succeeded and found no key; False as long as none has succeeded."""
        return self._read_at is not None and not self._keys

    def recognised(self, text: str) -> Key | None:
        """The good key that this text is; None for any other text. DatabaseUnavailable while nobody can tell."""
        self._check_fresh()
        return recognised(self._keys, text)

    def _check_fresh(self) -> None:
        if self._read_at is None or self._clock() - self._read_at > STAY_SECONDS:
            raise DatabaseUnavailable("the database that holds the API keys does not answer")
