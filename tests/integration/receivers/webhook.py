"""`WebhookServer`: receives webhooks, and misbehaves as a test says."""

import json
import threading
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from typing import Any

from standardwebhooks import Webhook

from tests.ports import free_ports

SECRET = "whsec_" + "c2VjcmV0IG9mIGEgdGVzdCwgbm90IG9mIGFueWJvZHk="
RESET, HANG, LOST = "reset", "hang", "lost"


@dataclass(frozen=True)
class Received:
    """A webhook whose signature was verified.

    Attributes:
        id: Its `webhook-id`.
        signature: Its `webhook-signature`.
        timestamp: Its `webhook-timestamp`.
        body: Its body.
    """

    id: str
    signature: str
    timestamp: str
    body: dict[str, Any]


class WebhookServer:
    """Receives webhooks. Before it accepts one, it answers as its script says.

    Attributes:
        url: Its URL; a test adds a path of its own.
        received: The webhooks that were received, by path; also those refused.
        accepted: The webhooks that were accepted, by path.
        script: The answers to the next webhooks, by path: a status, a status and
            headers, or `reset`, `hang`, or `lost` (accepted, and the answer is lost).
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.received = defaultdict[str, list[Received]](list)
        self.accepted = defaultdict[str, list[Received]](list)
        self.script = defaultdict[str, list[Any]](list)
        self.ended = threading.Event()
        self.verifier = Webhook(SECRET)

    def ids(self, path: str) -> set[str]:
        """The ids of all webhooks at a path."""
        return {each.id for each in self.received[path]}

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        """Verify and record a webhook; return the answer."""
        data = {name.lower(): value for name, value in headers.items()}
        self.verifier.verify(body, data)
        webhook = Received(
            data["webhook-id"],
            data["webhook-signature"],
            data["webhook-timestamp"],
            json.loads(body),
        )
        answer = self.script[path].pop(0) if self.script[path] else 204
        self.received[path].append(webhook)
        if answer in (204, LOST):
            self.accepted[path].append(webhook)
        return answer


@contextmanager
def webhook_server() -> Generator[WebhookServer]:
    """Run a receiver of webhooks until the block ends."""
    made = WebhookServer(*free_ports(1))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            answer = made.receive(self.path, dict(self.headers.items()), body)
            if answer == HANG:
                made.ended.wait()
            if answer in (RESET, HANG, LOST):
                self.connection.shutdown(SHUT_RDWR)
                self.close_connection = True
                return
            status, headers = _response(answer)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", made.port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _response(answer: Any) -> tuple[int, dict[str, str]]:
    if isinstance(answer, int):
        return answer, {"content-length": "0"}
    status, headers = answer
    return status, {"content-length": "0", **headers}
