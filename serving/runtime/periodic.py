"""Looks that are repeated: a thread that goes round until it is told to stop."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("bentoml.foresail")


class PeriodicWork:
    """Calls `look` every so many seconds. One that fails is logged, once for as long as it fails in the same words."""

    def __init__(self, look: Callable[[], None], every_seconds: float, name: str) -> None:
        self._look = look
        self._every_seconds = every_seconds
        self._name = name
        self._said = ""
        self._stopped = threading.Event()

    def start(self) -> None:
        """Look now, and from now on in a thread of its own."""
        self._try_to_look()
        threading.Thread(target=self._go_on, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _go_on(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            self._try_to_look()

    def _try_to_look(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001  the next look may succeed, whatever this one met
            if self._said != str(error):
                log.warning("%s: %s", self._name, error)
            self._said = str(error)
        else:
            self._said = ""
