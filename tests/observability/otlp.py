"""A receiver of OTLP over HTTP: it keeps the spans that are sent to it."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ..integration.processes import eventually

Attributes = dict[str, str | int | float]


@dataclass(frozen=True)
class Received:
    """A span, with the name of the service that has sent it."""

    service: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def id(self) -> bytes:
        return self.span.span_id

    @property
    def parent(self) -> bytes:
        return self.span.parent_span_id

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()

    @property
    def error(self) -> str | None:
        """The message of the span's status, if the status is an error."""
        status = self.span.status
        return status.message if status.code == status.STATUS_CODE_ERROR else None

    @property
    def attributes(self) -> Attributes:
        return ours(self.span.attributes)

    @property
    def events(self) -> list[Attributes]:
        return [ours(event.attributes) for event in self.span.events]


def ours(attributes: Iterable[KeyValue]) -> Attributes:
    """The attributes of parallelizework, without their prefix."""
    found: Attributes = {}
    for each in attributes:
        prefix, _, name = each.key.partition(".")
        if prefix == "parallelizework":
            kind = each.value.WhichOneof("value") or "string_value"
            found[name] = getattr(each.value, kind)
    return found


@dataclass
class Receiver:
    """The URL of a receiver, and the spans that it has received."""

    url: str = ""
    spans: list[Received] = field(default_factory=list[Received])

    def add(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value for each in resource.resource.attributes}
            service = names["service.name"].string_value
            for scope in resource.scope_spans:
                self.spans += [Received(service, span) for span in scope.spans]

    def named(self, name: str, trace: str | None = None) -> list[Received]:
        """The spans with a name, in the order of their start."""
        found = [
            each
            for each in list(self.spans)
            if each.name == name and trace in (None, each.trace)
        ]
        return sorted(found, key=lambda each: each.span.start_time_unix_nano)

    def wait_for(self, name: str, trace: str | None = None) -> list[Received]:
        """Wait for a span with that name, and return all of them."""
        eventually(lambda: bool(self.named(name, trace)))
        return self.named(name, trace)

    def path_to(self, span: Received) -> list[str]:
        """The names of a span and of its ancestors, the span first."""
        spans = {each.id: each for each in list(self.spans)}
        names = [span.name]
        while span.parent in spans:
            span = spans[span.parent]
            names.append(span.name)
        return names


@contextmanager
def receiver(
    answer: Callable[[], object] = lambda: None,
) -> Generator[Receiver]:
    """Run a receiver until the block ends.

    Args:
        answer: Called before the receiver answers a request.
    """
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer()
            received.add(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        received.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield received
        finally:
            server.shutdown()
