"""Reading while a page loads: straight to the driver, by connections that are kept open and not asked first whether they live."""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from serving.database.engine import available, unavailable


class Lookups:
    """Single statements that read, each seeing one state of the database. Safe to use from several threads.

    As many connections are kept as were ever needed at once. One that a restarted server has ended is found out when it
    is used; the statement is then asked again by a new one.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._errors = engine.dialect.loaded_dbapi.Error
        self._options = {} if engine.dialect.name == "sqlite" else {"prepare": True, "binary": True}
        self._idle: deque[Any] = deque()

    def rows(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What the statement finds; its parameters are written as the driver wants them. DatabaseUnavailable if it cannot."""
        connection = self._kept()
        if connection is None:
            return self._asked_anew(statement, parameters)
        try:
            return self._asked(connection, statement, parameters)
        except self._errors as error:
            if not self.engine.dialect.is_disconnect(error, connection, None):
                raise unavailable(self.engine, error) from error
        self.close()
        return self._asked_anew(statement, parameters)

    def close(self) -> None:
        """Let go of the connections that are not in use."""
        while (connection := self._kept()) is not None:
            connection.close()

    def _kept(self) -> Any:
        """A connection that is not in use, or None: another thread may be faster."""
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _asked_anew(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        connection = self._opened()
        try:
            return self._asked(connection, statement, parameters)
        except self._errors as error:
            raise unavailable(self.engine, error) from error

    def _asked(self, connection: Any, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = connection.execute(statement, parameters, **self._options).fetchall()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return found

    def _opened(self) -> Any:
        """A connection that the engine's pool has opened, and no longer looks after."""
        try:
            with available(self.engine):
                proxied = self.engine.raw_connection()
        except self._errors as error:
            raise unavailable(self.engine, error) from error
        connection: Any = proxied.driver_connection
        proxied.detach()
        if self.engine.dialect.name != "sqlite":
            connection.autocommit = True
        return connection
