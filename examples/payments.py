"""Charge several orders. The payment provider answers at once, or later by a webhook.

export PROVIDER_SECRET="whsec_$(openssl rand -base64 24)"
python examples/payment_provider.py
parallelizework dev examples/payments.py
curl localhost:8080/Payments/run --json '[{"id": "A1", "amount": 20, "card": "later"}]'
"""

import os
from datetime import timedelta

import httpx
from pydantic import BaseModel
from restate import TerminalError

from parallelizework import Attempt, Event, Failure, FanOut, Policy, Waiting
from parallelizework.events import (
    StandardWebhooks,
    Webhook,
    WebhookEvent,
    WebhookRequest,
)

PROVIDER_URL = os.environ.get("PROVIDER_URL", "http://localhost:8000")
WITHIN = timedelta(seconds=10)  # a real provider may need days


class Order(BaseModel):
    """What a customer has ordered."""

    id: str
    amount: int
    card: str


class Receipt(BaseModel):
    """The payment of an order."""

    order: str
    payment: str
    amount: int


class Summary(BaseModel):
    """The receipts, and why each other order is not paid."""

    total: int
    receipts: list[Receipt]
    unpaid: dict[str, str]


def split(orders: list[Order]) -> list[Order]:
    """Return one subtask for each order."""
    return orders


def charge(order: Order, attempt: Attempt) -> Receipt | Waiting[Receipt]:
    """Ask the provider for the payment of an order.

    Each attempt has the same key. So the provider makes one payment only.
    """
    answer = httpx.post(
        f"{PROVIDER_URL}/payments",
        json={"amount": order.amount, "card": order.card},
        headers={"Idempotency-Key": attempt.key},
    )
    if answer.status_code == 400:  # noqa: PLR2004 - another attempt would fail too
        raise TerminalError(answer.json()["message"], 400)
    payment = answer.raise_for_status().json()
    if payment["status"] == "succeeded":
        return Receipt(order=order.id, payment=payment["id"], amount=order.amount)
    return Waiting(key=f"Provider/{payment['id']}", within=WITHIN)


def payment_event(request: WebhookRequest) -> WebhookEvent | None:
    """Read a webhook of the provider. Only events of payments count."""
    sent = request.json()
    if not sent["type"].startswith("payment."):
        return None
    payment = sent["data"]
    return WebhookEvent(
        key=payment["id"], id=request.headers["webhook-id"], data=payment
    )


def receive(order: Order, event: Event) -> Receipt:
    """Make the receipt of an order from the event of its payment."""
    payment = event.data
    if payment["status"] != "succeeded":
        raise TerminalError("the payment has failed", 402)
    return Receipt(order=order.id, payment=payment["id"], amount=payment["amount"])


def aggregate(receipts: list[Receipt], failures: list[Failure[Order]]) -> Summary:
    """Return the receipts, and the orders that are not paid."""
    return Summary(
        total=sum(receipt.amount for receipt in receipts),
        receipts=receipts,
        unpaid={failure.subtask.id: failure.message for failure in failures},
    )


provider = Webhook(
    "Provider",
    verify=StandardWebhooks(variable="PROVIDER_SECRET"),
    event=payment_event,
)
payments = FanOut(
    "Payments",
    split=split,
    execute=charge,
    receive=receive,
    aggregate=aggregate,
    policy=Policy(tolerated_failure_percentage=100),
)
