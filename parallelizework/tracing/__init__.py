"""Traces: the attempts and the batches of a worker as spans of OpenTelemetry.

start.py           start_tracing and flush
provider.py        the tracer provider of the program, or one that sends to OTLP
spans.py           Spans: the observer that makes the spans
attributes.py      the names and the attributes of spans, and of the events of batches
parent.py          the parent of a span: the attempt at the invocation
failed_exports.py  the limit of the log of an endpoint that does not answer
"""

from parallelizework.tracing.start import start_tracing

__all__ = ["start_tracing"]
