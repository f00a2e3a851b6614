"""A payment provider on this machine, for `payments.py`. It is not real.

export PROVIDER_SECRET="whsec_$(openssl rand -base64 24)"
python examples/payment_provider.py

The card of a payment decides when the provider answers:

now       at once
later     by a webhook, after a second
twice     by the same webhook two times
early     by a webhook that arrives before the answer to the request
declined  by a webhook which says that the payment has failed
never     not at all
"""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

PROVIDER_URL = os.environ.get("PROVIDER_URL", "http://localhost:8000")
WEBHOOK_URL = os.environ.get("WEBHOOK_URL", "http://localhost:8080/Provider/receive")
CARDS = ("now", "later", "twice", "early", "declined", "never")
ATTEMPTS = 10

Payment = dict[str, Any]


class Provider:
    """The payments, each by the idempotency key of its request."""

    def __init__(self, secret: str) -> None:
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._payments: dict[str, Payment] = {}
        self._lock = threading.Lock()

    def pay(self, idempotency_key: str, amount: int, card: str) -> Payment:
        """Make a payment, or return the earlier payment with this key."""
        with self._lock:
            if known := self._payments.get(idempotency_key):
                return known
            number = hashlib.sha256(idempotency_key.encode()).hexdigest()[:12]
            status = "succeeded" if card == "now" else "processing"
            payment = {"id": f"pay_{number}", "amount": amount, "status": status}
            self._payments[idempotency_key] = payment
        if card == "early":
            self._notify(payment, "succeeded", count=1)
        if card in ("later", "twice", "declined"):
            ended = "failed" if card == "declined" else "succeeded"
            count = 2 if card == "twice" else 1
            threading.Timer(1, self._notify, (payment, ended, count)).start()
        return payment

    def _notify(self, payment: Payment, status: str, count: int) -> None:
        """Send a webhook, again and again until the receiver accepts it."""
        event = {"type": f"payment.{status}", "data": payment | {"status": status}}
        body = json.dumps(event).encode()
        id_ = f"evt_{payment['id']}"
        for _ in range(count):
            for attempt in range(ATTEMPTS):
                if self._is_accepted(id_, body):
                    break
                time.sleep(2**attempt / 10)

    def _is_accepted(self, id_: str, body: bytes) -> bool:
        try:
            answer = httpx.post(
                WEBHOOK_URL, content=body, headers=self._headers(id_, body)
            )
        except httpx.TransportError:
            return False
        print(f"{id_}: {answer.status_code} {answer.text}", flush=True)
        return answer.is_success

    def _headers(self, id_: str, body: bytes) -> dict[str, str]:
        """Sign a webhook as Standard Webhooks says. Each attempt has a new time."""
        timestamp = str(int(time.time()))
        signed = f"{id_}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()
        return {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature}",
        }


class Handler(BaseHTTPRequestHandler):
    """The HTTP API: POST to any path, with an Idempotency-Key."""

    provider: Provider

    def do_POST(self) -> None:
        """Make a payment."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request: dict[str, Any] = json.loads(body)
        key = self.headers.get("Idempotency-Key", "")
        if key and request.get("card") in CARDS:
            payment = self.provider.pay(key, request["amount"], request["card"])
            self._answer(200, payment)
        else:
            message = f"send an Idempotency-Key, and a card of {', '.join(CARDS)}"
            self._answer(400, {"message": message})

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


def main() -> None:
    """Serve until Ctrl-C."""
    Handler.provider = Provider(os.environ["PROVIDER_SECRET"])
    port = urlsplit(PROVIDER_URL).port or 80
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        print(f"The payment provider listens on {PROVIDER_URL}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
