"""The webhooks of `test_webhooks.py`, and the fan-out whose subtasks wait for them."""

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from restate import TerminalError

from parallelizework import Event, Failure, FanOut, Policy, Waiting
from parallelizework.events import (
    Reply,
    StandardWebhooks,
    Webhook,
    WebhookEvent,
    WebhookRequest,
)


def event(request: WebhookRequest) -> WebhookEvent | None:
    sent = request.json()
    if sent["type"] != "paid":
        return None
    return WebhookEvent(
        key=sent["payment"], id=request.headers["webhook-id"], data=sent
    )


shop = Webhook("Shop", verify=StandardWebhooks(variable="SHOP_SECRET"), event=event)


async def verify_slowly(request: WebhookRequest) -> None:
    await asyncio.sleep(0.01)
    if request.headers.get("token") != "right":
        raise ValueError("the header token is wrong")


async def event_slowly(request: WebhookRequest) -> WebhookEvent:
    await asyncio.sleep(0.01)
    form = request.form()
    return WebhookEvent(key=form["payment"], data=form)


bank = Webhook("Bank", verify=verify_slowly, event=event_slowly)


def echo(request: WebhookRequest) -> Reply:
    headers = dict(request.headers)
    received = {"body": request.body.hex(), "headers": headers, "query": request.query}
    return Reply(json.dumps(received))


mirror = Webhook("Mirror", verify=None, event=echo, content_type="application/json")


def challenge(request: WebhookRequest) -> Reply | None:
    return None if request.body else Reply(request.query["hub.challenge"])


hub = Webhook("Hub", verify=None, event=challenge)


def note(request: WebhookRequest) -> None:
    """Note each call in the file that the request names."""
    with Path(request.query["calls"]).open("a") as file:
        file.write("verified\n")


def fail(request: WebhookRequest) -> WebhookEvent | None:
    """Fail as the request says."""
    match request.text:
        case "terminal":
            raise TerminalError("gone fishing", 410)
        case "network":
            raise ConnectionError("secret-host is away")
        case "exit":
            raise SystemExit
        case "data":
            return WebhookEvent(key="a", data=object())
        case "type":
            return "a text"  # pyright: ignore[reportReturnType] - the test
        case "large":
            return WebhookEvent(key="a", data="x" * 7_000_000)
        case _:
            return None


counter = Webhook("Counter", verify=note, event=fail)
no_secret = Webhook(
    "NoSecret", verify=StandardWebhooks(variable="MISSING_SECRET"), event=event
)


def crash(_request: WebhookRequest) -> None:
    raise RuntimeError(f"the secret is {os.environ['SHOP_SECRET']}")


crashing = Webhook("Crashing", verify=crash, event=event)


class Orders(BaseModel):
    """The keys of the events that subtasks wait for, and how long."""

    keys: list[str]
    seconds: float = 60
    policy: Policy = Policy(tolerated_failure_percentage=100)


class Order(BaseModel):
    """One subtask."""

    key: str
    seconds: float


def split(task: Orders) -> list[Order]:
    return [Order(key=key, seconds=task.seconds) for key in task.keys]


def execute(order: Order) -> str | Waiting[str]:
    return Waiting(key=order.key, within=timedelta(seconds=order.seconds))


def receive(order: Order, event: Event) -> str:
    if event.data.get("declined"):
        raise TerminalError(f"{order.key} was declined", 402)
    return f"{event.data['amount']} by {event.id}"


def aggregate(values: list[str], failures: list[Failure[Order]]) -> list[str]:
    return values + [f"{each.code} {each.message}" for each in failures]


orders = FanOut(
    "Orders", split=split, execute=execute, receive=receive, aggregate=aggregate
)
