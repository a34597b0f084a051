"""What answers requests, watched in the background: newer champions are exchanged whole, never half."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa

from features.catalog import CATALOG, named
from features.catalog.custom import ExtensionError, catalog_with
from features.engine.plan import FeatureSet
from registry.loader import LoadedModel
from serving.accounts.inline import InlineAccounts
from serving.accounts.last_scores import cuts_drawn
from serving.accounts.reader import Accounts
from serving.database.engine import DatabaseUnavailable, opened
from serving.database.upgrade import check_current
from serving.errors import NotConfigured, NotReady, ServingError
from serving.observability import metrics
from serving.online.in_service import InService
from serving.online.score_request import warm_up
from serving.online.settings import Settings, SettingsError, read_settings
from serving.runtime.champions import Champions, without_credentials
from serving.runtime.parent_watchdog import end_with_parent
from serving.scoring.scores import needed_features
from serving.segmentation.value import VALUE_FEATURES

START_SECONDS = 15.0
"""How long a start waits for the first look. A registry that does not answer must not keep the service from saying so."""

log = logging.getLogger("bentoml.foresail")


class Watch:
    """Looks after champions every `refresh_seconds`, from a thread of its own.

    Settings that are absent or wrong do not stop the service: it starts, and says what is wrong to whoever asks.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.settings: Settings | None = None
        self._in_service: InService | None = None
        self._why_not: ServingError | DatabaseUnavailable = NotReady(
            "the service has not started completely; if this lasts, its log says why"
        )
        self._champions: Champions | None = None
        self._inline: InlineAccounts | None = None
        self._database: sa.Engine | None = None
        self._looked = threading.Event()
        self._stopped = threading.Event()
        self._catalog = CATALOG
        try:
            settings = read_settings(environment)
            self._catalog = catalog_with(settings.feature_files)
            self.settings = settings
        except (SettingsError, ExtensionError) as error:
            self._why_not = NotConfigured(str(error))
            log.warning("%s", error)

    def start(self, within_seconds: float = START_SECONDS) -> None:
        """Look once, then go on looking until `stop`. Returns after the first look, or after that many seconds."""
        end_with_parent(self._stopped)
        if self.settings is None:
            return
        asked = f"the model registry {without_credentials(self.settings.tracking_uri)} has not answered yet"
        self._why_not = NotReady(f"{asked}; if this lasts, the service's log says why")
        threading.Thread(target=self._go_on, args=(self.settings,), name="watch", daemon=True).start()
        if not self._looked.wait(within_seconds):
            log.warning("%s", asked)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def in_service(self) -> InService:
        """What is in service now; NotReady, NotConfigured or DatabaseUnavailable if nothing is."""
        if self._in_service is None:
            raise self._why_not.with_traceback(None)
        return self._in_service

    def check_ready(self) -> None:
        """ModelUnavailable unless every configured target has a model in service; else as `in_service`."""
        for unavailable in self.in_service().missing.values():
            raise unavailable.with_traceback(None)

    def look(self) -> None:
        """Look at the registry once, and exchange what is in service if it has changed."""
        settings = self.settings
        if settings is None:
            return
        self._champions = self._champions or Champions(settings.tracking_uri, settings.models, self._catalog)
        self._champions.look()
        models = self._champions.models
        missing = {target: self._champions.missing[target] for target in settings.models if target not in models}
        try:
            self._database = self._database or _checked(opened(settings.database))
        except DatabaseUnavailable as error:
            self._why_not = error
            return
        before = self._in_service
        if before is None or before.models != models or before.missing != missing:
            self._inline = self._inline or InlineAccounts(settings.timezone, settings.earliest)
            accounts = self._accounts(self._database, models)
            found = InService(
                settings, models, missing, accounts, self._inline, self._database, _cuts(accounts, before)
            )
            _try_to_warm_up(found)
            metrics.in_service(_versions_of(before), _versions_of(found))
            self._in_service = found
        elif (cuts := _cuts(before.accounts, before)) != before.cuts:
            self._in_service = replace(before, cuts=cuts)

    def _accounts(self, database: sa.Engine, models: Mapping[str, LoadedModel]) -> Accounts:
        """The accounts as these models read them; those before, if they read the same."""
        features = FeatureSet(dict.fromkeys([*needed_features(list(models.values())), *named(VALUE_FEATURES)]))
        before = self._in_service.accounts if self._in_service else None
        if before is None:
            return Accounts(database, features)
        return before if before.features.names == features.names else before.with_features(features)

    def _go_on(self, settings: Settings) -> None:
        self._try_to_look()
        self._looked.set()
        while not self._stopped.wait(settings.refresh_seconds):
            self._try_to_look()

    def _try_to_look(self) -> None:
        try:
            self.look()
        except Exception:
            # Neither the service nor the watch may end with whatever it meets: what is in service stays, and the next
            # look may succeed.
            log.exception("the look at the registry failed")


def _versions_of(service: InService | None) -> list[tuple[str, str, str]]:
    models = service.models if service else {}
    return [(target, loaded.name, loaded.version) for target, loaded in models.items()]


def _cuts(accounts: Accounts, before: InService | None) -> Mapping[str, float]:
    """The cuts of the last night; those before while the database does not answer, which its callers are told anyway."""
    try:
        return cuts_drawn(accounts.lookups)
    except DatabaseUnavailable:
        return before.cuts if before else {}


def _checked(database: sa.Engine) -> sa.Engine:
    """The database, if its tables are those of this installation; DatabaseUnavailable else."""
    check_current(database)
    return database


def _try_to_warm_up(found: InService) -> None:
    if not found.models:
        return
    try:
        warm_up(found)
        found.accounts.warm_up()
    except Exception:
        # It only saves the first request some time: whatever fails here must not keep good models out of service.
        log.exception("the warm-up failed; the first requests will take longer")
