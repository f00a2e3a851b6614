"""Events of an order from three systems: together they are one run of a fan-out.

    parallelizework dev examples/order_events.py

The payment, the stock and the address of an order come from different systems, in any
order, and sometimes twice. When all three have come, the items of the order are packed.
docs/how-to/join-events.md has the commands.
"""

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel

from parallelizework import FanOut
from parallelizework.events import Join, JoinReason


class Payment(BaseModel):
    """The event of the payment system."""

    type: Literal["payment"]
    id: str
    amount: int


class Stock(BaseModel):
    """The event of the warehouse: the items are reserved."""

    type: Literal["stock"]
    id: str
    items: list[str]


class Address(BaseModel):
    """The event of the shop: the customer has confirmed the address."""

    type: Literal["address"]
    id: str
    city: str


OrderEvent = Payment | Stock | Address


class Order(BaseModel):
    """The task: what is known of an order."""

    id: str
    reason: JoinReason
    paid: int = 0
    items: list[str] = []
    city: str | None = None


class Shipment(BaseModel):
    """The result: the parcels of an order."""

    order: str
    reason: JoinReason
    city: str | None
    parcels: list[str]


def is_complete(events: list[OrderEvent]) -> bool:
    """Whether all three systems have sent their event."""
    return {event.type for event in events} == {"payment", "stock", "address"}


def event_id(event: OrderEvent) -> str:
    """Return the id that the sender has given to the event."""
    return event.id


def order_of(key: str, events: list[OrderEvent], reason: JoinReason) -> Order:
    """Make the task from the events of an order."""
    known: dict[str, Any] = {}
    for event in events:
        match event:
            case Payment():
                known["paid"] = event.amount
            case Stock():
                known["items"] = event.items
            case Address():
                known["city"] = event.city
    return Order(id=key, reason=reason, **known)


def split(order: Order) -> list[str]:
    """Return the items to pack; none if the order is incomplete."""
    is_ready = order.paid and order.city
    return order.items if is_ready else []


def pack(item: str) -> str:
    """Pack one item."""
    return f"{item}: packed"


def ship(parcels: list[str], order: Order) -> Shipment:
    """Return the parcels of the order."""
    return Shipment(
        order=order.id, reason=order.reason, city=order.city, parcels=parcels
    )


shipments = FanOut("Shipments", split=split, execute=pack, aggregate=ship)
orders = Join(
    "Order",
    event=OrderEvent,
    into=shipments,
    until=is_complete,
    within=timedelta(hours=1),
    task=order_of,
    id_of=event_id,
)
