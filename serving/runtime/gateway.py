"""The gateway between the network and the answers: API keys, rate limit, export of spans, and the figures of the inbox."""

import logging
from collections.abc import Callable, Mapping
from functools import cache, partial

import sqlalchemy as sa

from features.timestamps import now
from serving.database.engine import open_engine, reading
from serving.database.tables import event_inbox
from serving.observability import metrics
from serving.observability.tracing import spans_of
from serving.online.settings import Settings
from serving.runtime.api_keys import LOOK_SECONDS, ApiKeys
from serving.runtime.periodic import PeriodicWork
from serving.runtime.rate_limit import RateLimit

INBOX_SECONDS = 15.0
ALONE = (
    "there is no API key: only programs on this machine are answered, until one is made with "
    "`foresail keys create NAME --scope score`"
)

log = logging.getLogger("bentoml.foresail")


class Gateway:
    """Made of the settings; without any there is no key and no limit, and only this machine is answered."""

    def __init__(self, settings: Settings | None, environment: Mapping[str, str]) -> None:
        self.spans = spans_of(environment)
        self.api_keys: ApiKeys | None = None
        self.rate_limit: RateLimit | None = None
        self._periodic: list[PeriodicWork] = []
        if settings is not None:
            database = cache(partial(open_engine, settings.database))
            self.api_keys = ApiKeys(database)
            self._periodic = [
                PeriodicWork(self.api_keys.look, LOOK_SECONDS, "API keys"),
                PeriodicWork(partial(_sample_inbox, database, settings), INBOX_SECONDS, "event inbox"),
            ]
            if settings.requests_per_second is not None:
                self.rate_limit = RateLimit(settings.requests_per_second, settings.burst)

    def start(self) -> None:
        """Look at the database, and go on looking."""
        for each in self._periodic:
            each.start()
        if self.api_keys is None or self.api_keys.was_found_empty:
            log.warning("%s", ALONE)

    def stop(self) -> None:
        """Look no more, and export the spans that are left."""
        for each in self._periodic:
            each.stop()
        if self.spans:
            self.spans.stop()


def _sample_inbox(database: Callable[[], sa.Engine], settings: Settings) -> None:
    with reading(database()) as connection:
        found = sa.select(sa.func.count(), sa.func.min(event_inbox.c.received_at)).select_from(event_inbox)
        events, oldest = connection.execute(found).one()
    age = ((settings.moment or now()) - oldest).total_seconds() if oldest else 0.0
    metrics.waiting(events, max(age, 0.0))
