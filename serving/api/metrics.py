"""GET /metrics: for Prometheus."""

import os

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.responses import Response

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def metrics() -> Response:
    """What all workers of this server have counted."""
    return Response(generate_latest(_counted()), media_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    # BentoML starts its workers with this variable: each then counts in files that any of them can add up.
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
