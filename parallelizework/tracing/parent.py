"""`parent`: the trace and the span to which the spans of an invocation belong."""

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from parallelizework.restate_sdk import current_request

_PROPAGATOR = TraceContextTextMapPropagator()


def parent() -> Context:
    """The parent of a span that begins in the current handler.

    A restate-server sends the `traceparent` of an attempt with each attempt of an
    invocation. The header is not a header of the call: the call stays the same in each
    attempt.

    Returns:
        The parent; an empty one if the server sent no `traceparent`. Then the span
        begins a trace of its own.
    """
    request = current_request()  # None in `run_inline`
    headers = request.attempt_headers if request else {}
    return _PROPAGATOR.extract(headers, Context())
