"""`trace_headers`: the header by which a request belongs to the caller's trace."""

import sys


def trace_headers() -> dict[str, str]:
    """Return the header `traceparent` of the span that is current in the caller.

    restate-server (1.7.12) ignores a header with another flag than `sampled`. The SDK
    of OpenTelemetry sets another one: its trace ids are random. So the header is made
    here. For a span that is not sampled, the server would begin a new trace with each
    invocation. So the server does not receive the header of such a span.

    Returns:
        No header if there is no such span, or if nobody has imported OpenTelemetry.
    """
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - only where it is in use

    span = get_current_span().get_span_context()
    if not (span.is_valid and span.trace_flags.sampled):
        return {}
    return {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-01"}
