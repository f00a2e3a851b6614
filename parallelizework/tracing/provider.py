"""`tracer_provider`: the tracer provider of the program, or one that sends to OTLP."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from parallelizework.tracing.failed_exports import log_once_a_minute

_NAME = "parallelizework"  # the name of the service, unless the environment names one
_NO_NAME = "unknown_service"  # so the SDK calls a service without a name


def tracer_provider() -> trace.TracerProvider:
    """Return the tracer provider of the program; make one if the program has none.

    A provider that is made here reads its settings from the variables of OpenTelemetry.
    It sends the spans in a thread of its own. If the endpoint does not answer, it drops
    spans, and the worker does not wait.
    """
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        return provider
    made = TracerProvider(resource=_resource())
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(made)
    log_once_a_minute()
    return made


def _resource() -> Resource:
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith(_NO_NAME):
        return resource.merge(Resource({SERVICE_NAME: _NAME}))
    return resource
