"""The text that Prometheus reads, and the route `/metrics` that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route


def exposition(registry: CollectorRegistry) -> str:
    """All metrics in Prometheus' text format 0.0.4: names such as `lake_objects_total` are no gauges in OpenMetrics."""
    return generate_latest(registry).decode()


def metrics_route(registry: CollectorRegistry, path: str = "/metrics") -> Route:
    """A route that serves the registry; who may ask is the matter of the application that has it."""
    from starlette.responses import Response
    from starlette.routing import Route

    def metrics(request: Request) -> Response:  # noqa: ARG001  not async: Starlette gives it a thread
        return Response(exposition(registry), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return Route(path, metrics, methods=["GET"])
