"""The HTTP service: endpoints only. `foresail serve` starts it; FORESAIL_SERVING tells it where accounts and models are."""

import gc
import logging
import os

import bentoml

from serving.api.app import RESOURCES, Resources
from serving.api.middleware.access import Access
from serving.api.middleware.limits import CallersFaults, ProblemAnswers, as_answers
from serving.api.middleware.observed import Observed
from serving.api.scores import score_response
from serving.online.schemas import ScoreRequest, ScoreResponse
from serving.runtime.gateway import Entrance
from serving.runtime.model_watcher import Watch
from serving.runtime.request_pool import Heavy
from serving.runtime.sweeper import keeping_of


@bentoml.service(
    name="Foresail",
    workers=1,
    # BentoML keeps the state of every request until its timeout has passed, so a long one fills the heap.
    traffic={"timeout": 5},
    logging={"access": {"enabled": False}},
    # It counts by path, and a path may name an account; ours count by route.
    metrics={"enabled": False},
    # Spans are exported by `serving.observability.tracing`; BentoML would make its own of every request, whether they go anywhere or not.
    tracing={"excluded_urls": [".*"]},
    description="Calibrated churn scores of accounts, with their reasons. Errors are RFC 9457 problems.",
)
class Foresail:
    """Scores on demand."""

    def __init__(self) -> None:
        logging.getLogger("bentoml._internal.server.http_app").addFilter(CallersFaults())
        self.heavy = Heavy()
        self.watch = Watch(os.environ)
        self.watch.start()
        self.entrance = Entrance(self.watch.settings, os.environ)
        self.entrance.start()
        self.keeping = keeping_of(self.watch.settings, os.environ)
        self.keeping.start()
        RESOURCES.state.watch, RESOURCES.state.heavy, RESOURCES.state.entrance = self.watch, self.heavy, self.entrance
        # What has been loaded by now stays: keep the collector away from it, or it stalls requests for tens of ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)

    @bentoml.api  # type: ignore[untyped-decorator]
    @as_answers
    async def score(self, request: ScoreRequest, /) -> ScoreResponse:
        """Scores of accounts: of known ones by id, of others from the events sent along."""
        return await score_response(request, self.watch.in_service(), self.heavy)

    async def __is_ready__(self) -> bool:
        """/readyz: 503 and a problem until every target has a model in service."""
        self.watch.check_ready()
        return True

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Look at nothing any more."""
        self.watch.stop()
        self.entrance.stop()
        self.keeping.stop()


# The first is the outermost.
Foresail.add_asgi_middleware(Observed, state=RESOURCES.state)  # type: ignore[attr-defined]
Foresail.add_asgi_middleware(Access, state=RESOURCES.state)  # type: ignore[attr-defined]
Foresail.add_asgi_middleware(ProblemAnswers)  # type: ignore[attr-defined]
Foresail.add_asgi_middleware(Resources)  # type: ignore[attr-defined]
