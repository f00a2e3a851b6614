"""`Parcels`: a fan-out that returns its input, of many types."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from parallelizework import FanOut, Policy


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    kind: Literal["leaf"]
    weight: float = Field(ge=0, le=1_000)


class Branch(BaseModel):
    kind: Literal["branch"]
    parts: list["Tree"] = Field(max_length=3)


Tree = Annotated[Leaf | Branch, Field(discriminator="kind")]


@dataclass(frozen=True)
class Place:
    x: int
    y: int | None = None


class Parcel(BaseModel):
    number: int
    tree: Tree
    more: JsonValue = None
    share: float = 0.5
    name: str = Field(default="", max_length=40)
    colour: Colour = Colour.RED
    places: list[Place] = []
    corners: tuple[int, str] | None = None
    sent: datetime | None = None
    takes: timedelta | None = None
    price: Decimal | None = None
    id: UUID | None = None
    by_name: dict[str, bool] = {}


class Shipment(BaseModel):
    parcels: list[Parcel]
    policy: Policy = Policy()


def unpacked(shipment: Shipment) -> list[Parcel]:
    return shipment.parcels


async def same(parcel: Parcel) -> Parcel:
    return parcel


def listed(parcels: list[Parcel]) -> list[Parcel]:
    return parcels


parcels = FanOut("Parcels", split=unpacked, execute=same, aggregate=listed)
