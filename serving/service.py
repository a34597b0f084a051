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
from serving.runtime.gateway import Gateway
from serving.runtime.model_watcher import ModelWatcher
from serving.runtime.request_pool import RequestPool
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
        self.request_pool = RequestPool()
        self.model_watcher = ModelWatcher(os.environ)
        self.model_watcher.start()
        self.gateway = Gateway(self.model_watcher.settings, os.environ)
        self.gateway.start()
        self.keeping = keeping_of(self.model_watcher.settings, os.environ)
        self.keeping.start()
        RESOURCES.state.model_watcher, RESOURCES.state.request_pool, RESOURCES.state.gateway = (
            self.model_watcher,
            self.request_pool,
            self.gateway,
        )
        # What has been loaded by now stays: keep the collector away from it, or it stalls requests for tens of ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)

    @bentoml.api  # type: ignore[untyped-decorator]
    @as_answers
    async def score(self, request: ScoreRequest, /) -> ScoreResponse:
        """Scores of accounts: of known ones by id, of others from the events sent along."""
        return await score_response(request, self.model_watcher.in_service(), self.request_pool)

    async def __is_ready__(self) -> bool:
        """/readyz: 503 and a problem until every target has a model in service."""
        self.model_watcher.check_ready()
        return True

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Look at nothing any more."""
        self.model_watcher.stop()
        self.gateway.stop()
        self.keeping.stop()


# The first is the outermost.
Foresail.add_asgi_middleware(Observed, state=RESOURCES.state)  # type: ignore[attr-defined]
Foresail.add_asgi_middleware(Access, state=RESOURCES.state)  # type: ignore[attr-defined]
Foresail.add_asgi_middleware(ProblemAnswers)  # type: ignore[attr-defined]
Foresail.add_asgi_middleware(Resources)  # type: ignore[attr-defined]
