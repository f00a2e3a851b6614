"""Metrics: numbers about what a worker executes, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parallelizework.errors import extras_named

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from parallelizework.served import Served

__all__ = ["observe_metrics"]


def observe_metrics(*served: Served, registry: CollectorRegistry | None = None) -> None:
    """Count what this process executes from now on. Call the function once.

    `parallelizework serve` calls the function if `PARALLELIZEWORK_METRICS_BIND` is set.
    Call the function yourself if another ASGI server runs the worker. The metrics are
    in the registry, and you serve the registry: for example with
    `prometheus_client.start_http_server(9464)`.

    Args:
        served: The fan-outs and executors of the worker. Their metrics begin with 0.
        registry: The registry of prometheus_client; by default, `REGISTRY`.

    Raises:
        ExtraMissing: The extra `metrics` is not installed.
        ValueError: The registry has these metrics already: the function was called
            before, for example by `parallelizework serve`.
    """
    with extras_named():
        from parallelizework.metrics.observer import observed_by_metrics  # noqa: PLC0415 - a worker without metrics does not import it

    observed_by_metrics(served, registry)
