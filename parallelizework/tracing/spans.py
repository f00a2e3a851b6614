"""`Spans`: makes a span for each attempt and for each batch.

An attempt of handler code has no span: handler code is executed again after each
suspension, and each execution would be a span. Spans of the user's own code in it
belong to the trace of the invocation.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from parallelizework.observation.observed import ObservedAttempt, ObservedBatch
from parallelizework.observation.observer import Observer
from parallelizework.tracing import attributes
from parallelizework.tracing.parent import parent

_ERRORS = ("failed", "timed_out")


class Spans(Observer):
    """Makes a span for each attempt and for each batch.

    A span is current while the user's function executes, also in a thread. So the spans
    of the user's own libraries are its children.

    Args:
        tracer: Makes the spans.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def attempt(self, attempt: ObservedAttempt) -> AbstractContextManager[None]:
        """Make a span; in a batch, an event of the span of the batch."""
        if attempt.is_handler_code:
            return _in_trace_of_invocation()
        if attempt.is_in_batch:
            return _event(attempt)
        return self._span(attempt)

    @contextmanager
    def batch(self, batch: ObservedBatch) -> Generator[None]:
        """Make a span around a batch."""
        with self._tracer.start_as_current_span(
            attributes.batch_span_name(batch),
            context=parent(),
            kind=SpanKind.INTERNAL,
            attributes=attributes.of_batch(batch),
        ):
            yield

    @contextmanager
    def _span(self, attempt: ObservedAttempt) -> Generator[None]:
        with self._tracer.start_as_current_span(
            attributes.span_name(attempt),
            context=parent(),
            kind=SpanKind.INTERNAL,
            attributes=attributes.of_attempt(attempt),
            record_exception=False,  # only a cancellation is raised through this block
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                span.set_attributes(attributes.of_end(attempt))
                _set_error(span, attempt)


def _set_error(span: Span, attempt: ObservedAttempt) -> None:
    """Let a search for errors find the span of an attempt that has failed."""
    if attempt.status in _ERRORS:
        span.set_status(Status(StatusCode.ERROR, attempt.error))


@contextmanager
def _event(attempt: ObservedAttempt) -> Generator[None]:
    """Add an event to the span of the batch when the attempt has ended."""
    batch = trace.get_current_span()
    try:
        yield
    finally:
        if batch.is_recording():
            batch.add_event("attempt", attributes.of_event(attempt))
            _set_error(batch, attempt)


@contextmanager
def _in_trace_of_invocation() -> Generator[None]:
    """Make the invocation the parent of the spans that begin in this block."""
    token = context.attach(parent())
    try:
        yield
    finally:
        context.detach(token)
