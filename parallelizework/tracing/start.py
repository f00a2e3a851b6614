"""`start_tracing` and `flush`: they import OpenTelemetry only if it is used."""

import sys
import threading
from collections.abc import Callable
from functools import cache

from parallelizework.errors import StartError
from parallelizework.observation.observer import observe

_EXTRA = "opentelemetry"


@cache
def start_tracing() -> None:
    """Make spans for the attempts and the batches of this process, from now on.

    `parallelizework serve` calls this function if `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
    A program that serves `parallelizework.app` itself calls it once in each process.

    If the program has set a tracer provider, the spans are made by this provider.
    Otherwise, the spans are sent to the endpoint in `OTEL_EXPORTER_OTLP_ENDPOINT`.

    Raises:
        StartError: The extra `telemetry` is not installed, or a variable of
            OpenTelemetry has an invalid value.
    """
    try:
        from parallelizework.tracing.provider import tracer_provider  # noqa: PLC0415
        from parallelizework.tracing.spans import Spans  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(_EXTRA):
            raise
        raise StartError(
            f"traces need the package {error.name!r}: pip install "
            "'parallelizework[telemetry]', or set OTEL_SDK_DISABLED=true"
        ) from None
    try:
        tracer = tracer_provider().get_tracer("parallelizework")
    except ValueError as error:
        raise StartError(f"a variable OTEL_... is invalid: {error}") from error
    observe(Spans(tracer))


def flush(seconds: float) -> bool:
    """Send the spans that have ended, in at most this time.

    Do nothing if the program has not imported OpenTelemetry.

    Args:
        seconds: The longest time to wait for the endpoint.

    Returns:
        Whether the endpoint answered in this time, even if it refused the spans.
    """
    if "opentelemetry.trace" not in sys.modules:
        return True
    from opentelemetry.trace import get_tracer_provider  # noqa: PLC0415

    provider = get_tracer_provider()
    send: Callable[[], object] | None = getattr(provider, "force_flush", None)
    if not send:  # a provider of the API alone has nothing to send
        return True
    thread = threading.Thread(target=send, daemon=True)  # it may ignore a timeout
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
