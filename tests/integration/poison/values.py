"""Values that are poison."""

import math
from collections.abc import Callable
from typing import Any

from .models import MIB, Vessel


class Unprintable(Exception):
    """An error that cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __str__(self) -> str:
        raise ValueError("no str")


class Unshowable:
    """A value that cannot be shown."""

    __repr__ = Unprintable.__repr__
    __str__ = Unprintable.__str__


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def broken(**fields: Any) -> Vessel:
    """A model that was not validated."""
    return Vessel.model_construct(**(Vessel().model_dump() | fields))


LEVELS = (150, 197, 198, 199, 200, 250, 5_000)
NOT_A_NUMBER, NO_END = math.nan, math.inf
ANY: dict[str, Callable[[], object]] = {
    **{f"{levels} levels": lambda levels=levels: nested(levels) for levels in LEVELS},
    "4301 digits": lambda: 10**4_300,
    "10000 digits": lambda: 10**9_999,
    "NaN in a dict": lambda: {"x": NOT_A_NUMBER},
    "infinity in a dict": lambda: {"x": [NO_END]},
    "surrogate": lambda: "a\ud800b",
    "surrogate in a key": lambda: {"a\ud800b": 1},
    "bytes": lambda: {"x": b"\xff\xfe"},
    "cycle": cyclic,
    "object": object,
    "unshowable object": Unshowable,
    "exception": lambda: ValueError("as a value"),
}
NUMBER: dict[str, Callable[[], object]] = {
    "NaN": lambda: NOT_A_NUMBER,
    "infinity": lambda: NO_END,
    "None": lambda: None,
    "wrong type": lambda: "rubbish",
    "unshowable type": Unshowable,
}
UNFIT = ("None", "wrong type", "unshowable type")  # the whole value, not only a field
MODEL: dict[str, Callable[[], object]] = {
    "NaN in a field": lambda: Vessel(number=NOT_A_NUMBER),
    "infinity in a field": lambda: Vessel(number=-NO_END),
    "NaN in an optional field": lambda: Vessel(maybe=NOT_A_NUMBER),
    "NaN in a field's dict": lambda: Vessel(table={"x": NOT_A_NUMBER}),
    "NaN in a field of any type": lambda: Vessel(more=[NOT_A_NUMBER]),
    "surrogate in a field": lambda: broken(text="a\ud800b"),
    "bytes in a field": lambda: Vessel(more=b"\xff\xfe"),
    "None in a field": lambda: broken(number=None),
    "wrong type in a field": lambda: broken(number="rubbish"),
    "197 levels in a field": lambda: Vessel(more=nested(197)),
    "199 levels in a field": lambda: Vessel(more=nested(199)),
    "4301 digits in a field": lambda: Vessel(more=10**4_300),
}
VALUES = {"Any": ANY, "Number": NUMBER, "Model": MODEL}
SIZES: dict[str, Callable[[], object]] = {"33 MiB": lambda: "x" * 33 * MIB}
