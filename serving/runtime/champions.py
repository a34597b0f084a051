"""The champions in service: looked up by alias again and again, exchanged when another version carries it."""

import logging
import re
from collections.abc import Mapping

from features.catalog import CATALOG
from features.engine.plan import FeatureSet
from registry import loader
from registry.errors import ModelUnavailable
from registry.loader import LoadedModel
from registry.store import CHAMPION

LOOKS_BETWEEN_TRIES = 12
"""A refused model is read again after that many looks: files may have been out of reach for a while."""

log = logging.getLogger("bentoml.foresail")


class Champions:
    """The model of each target, as of the last look into the registry.

    A version that cannot be put into service is refused, which is logged once, and the model before it stays.
    """

    def __init__(self, tracking_uri: str, names: Mapping[str, str], catalog: FeatureSet = CATALOG) -> None:
        self.tracking_uri = tracking_uri
        self.catalog = catalog
        self.names = names
        self.models: Mapping[str, LoadedModel] = {}
        self.missing: dict[str, ModelUnavailable] = {}
        """Of each target whose champion is not in service: why."""
        self._refused: dict[str, tuple[str, int]] = {}

    def look(self) -> None:
        """Ask the registry who the champions are, and load those that are new."""
        found = {target: self._model(target, name) for target, name in self.names.items()}
        self.models = {target: loaded for target, loaded in found.items() if loaded}

    def _model(self, target: str, name: str) -> LoadedModel | None:
        before = self.models.get(target)
        try:
            version = loader.version_of(self.tracking_uri, name)
            if before is None or before.version != version:
                if self._is_refused(target, version):
                    return before
                before = loader.load(self.tracking_uri, name, CHAMPION, self.catalog)
                log.info("%s: model %s version %s is in service", target, name, before.version)
        except ModelUnavailable as unavailable:
            self._say(target, unavailable, before)
            return before
        self.missing.pop(target, None)
        self._refused.pop(target, None)
        return before

    def _is_refused(self, target: str, version: str) -> bool:
        """Whether to leave this version alone for now: it was refused before, and may be tried again only sometimes."""
        refused, looks = self._refused.get(target, ("", 0))
        self._refused[target] = (version, looks + 1 if refused == version else 0)
        return refused == version and (looks + 1) % LOOKS_BETWEEN_TRIES != 0

    def _say(self, target: str, unavailable: ModelUnavailable, before: LoadedModel | None) -> None:
        known, message = self.missing.get(target), without_credentials(str(unavailable))
        self.missing[target] = type(unavailable)(message)
        if known is None or str(known) != message:
            stays = f"; version {before.version} stays in service" if before else ""
            log.warning("%s: %s%s", target, message, stays)


def without_credentials(text: str) -> str:
    """A text whose addresses have no user and password: callers read the messages, too."""
    return re.sub(r"(?<=://)[^/\s@]+@", "***@", text)
