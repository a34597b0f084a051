"""Promises kept while nobody looks: deadlines swept and messages delivered, from threads of their own.

Any number of processes may: each deadline is missed once, each message is taken by one of them at a time.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial

import sqlalchemy as sa

from features.timestamps import now
from serving.database.engine import DatabaseUnavailable, open_engine
from serving.database.upgrade import check_current
from serving.interventions.declare.settings import InterventionSettings
from serving.interventions.deliver.dispatch import EVERY_SECONDS, dispatch_until, log_entry
from serving.interventions.run.deadlines import SweepResult, sweep
from serving.online.settings import Settings
from serving.runtime.periodic import PeriodicWork

log = logging.getLogger("bentoml.foresail")


class Keeping:
    """Sweeps and dispatches twice a second until it is stopped. Where nothing is declared it does nothing."""

    def __init__(
        self,
        database: Callable[[], sa.Engine],
        told: InterventionSettings,
        variables: Mapping[str, str],
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._told, self._variables, self._clock = database, told, variables, clock
        self._stopped = threading.Event()
        self._sweeping = PeriodicWork(self._sweep, EVERY_SECONDS, "deadlines")
        self._thread = threading.Thread(target=self._keep, name="keeping", daemon=True)

    def start(self) -> None:
        """Begin, and return."""
        if self._told.channels or self._told.playbooks or self._told.sla:
            self._thread.start()

    def stop(self, within_seconds: float = 0.0) -> None:
        """Begin nothing more; wait at most so long for what is under way."""
        self._stopped.set()
        self._sweeping.stop()
        if self._thread.is_alive():
            self._thread.join(within_seconds)

    def _keep(self) -> None:
        while not self._is_usable():
            if self._stopped.wait(EVERY_SECONDS):
                return
        self._sweeping.start()
        dispatch_until(self._stopped, self._database(), self._told, self._variables, self._clock)

    def _sweep(self) -> None:
        found = sweep(self._database(), self._told, self._clock())
        if found != SweepResult():
            log.info(log_entry("swept", **vars(found)))

    def _is_usable(self) -> bool:
        """Whether the database answers and its tables are those of this installation; whoever asks the service is told."""
        try:
            check_current(self._database())
        except DatabaseUnavailable:
            return False
        return True


def keeping_of(settings: Settings | None, variables: Mapping[str, str]) -> Keeping:
    """What a service keeps. One that speaks for a fixed moment shows what was: it tells nobody anything."""
    told = InterventionSettings() if settings is None or settings.as_of is not None else settings.interventions
    return Keeping(cache(partial(open_engine, settings.database if settings else "")), told, variables, now)
