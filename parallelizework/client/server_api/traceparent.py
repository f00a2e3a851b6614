"""`trace_headers`: the header by which a request belongs to the caller's trace."""

import sys


def trace_headers() -> dict[str, str]:
    """Return the header `traceparent` of the span that is current in the caller.

    Returns:
        No header if there is no such span, or if nobody has imported OpenTelemetry.
    """
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - only where it is in use
            TraceContextTextMapPropagator,
        )

        TraceContextTextMapPropagator().inject(headers)
    return headers
