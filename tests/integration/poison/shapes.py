"""Types of value. A healthy value of each type contains a dose: which poison arises."""

import math
from functools import cache
from typing import Any

from ..fan_outs.ledger import Ledger
from .errors import ERRORS
from .models import AT, Dose, Vessel
from .values import NUMBER, SIZES, VALUES


def arise(dose: Dose) -> Any:
    """Raise the poison if it is an error, or else return it."""
    if dose.key:
        Ledger(dose.key).enter()
    if error := ERRORS.get(dose.kind):
        raise error()
    return next(of[dose.kind] for of in (*VALUES.values(), SIZES) if dose.kind in of)()


def has_arisen(key: str) -> bool:
    """Whether the poison with this key has arisen on this machine."""
    return Ledger(key).size > 0


@cache
def _known() -> list[tuple[str, object]]:
    kinds = [(kind, make) for of in VALUES.values() for kind, make in of.items()]
    readable = [each for each in kinds if each[0] not in ("cycle", "5000 levels")]
    return [(kind, make()) for kind, make in readable]


def _is_same(value: object, known: object) -> bool:
    if type(value) is not type(known):
        return False
    # NaN does not equal itself: compare the text.
    may_hold_nan = type(known) in (float, dict, Vessel)
    return value == known or (may_hold_nan and _shown(value) == _shown(known))


def _shown(value: object) -> object:
    """Return a value as text, or the value if it has too many digits."""
    try:
        return repr(value)
    except ValueError:
        return value


class Shape:
    """A type of value: `combine` and `aggregate` read a dose from healthy values."""

    def __init__(self, load: Any) -> None:
        self.load = load

    def healthy(self, dose: Dose) -> Any:
        if self.load is Any:
            return dose.model_dump()
        if self.load is float:
            return float(AT.index(dose.at) * 1_000 + list(NUMBER).index(dose.kind))
        return Vessel(text=dose.model_dump_json())

    def dose(self, value: Any) -> Dose | None:
        """Return the dose in a healthy value, if any."""
        if self.load is Any and isinstance(value, dict) and "kind" in value:
            return Dose.model_validate(value)
        if isinstance(value, float) and math.isfinite(value):
            return Dose(
                at=AT[int(value) // 1_000], kind=list(NUMBER)[int(value) % 1_000]
            )
        if isinstance(value, Vessel) and value.text.startswith("{"):
            return Dose.model_validate_json(value.text)
        return None

    def kind(self, value: object) -> str:
        """Return which poison a value is; "changed" if it is not a known poison."""
        if self.dose(value):
            return "healthy"
        known = _known()
        return next((kind for kind, k in known if _is_same(value, k)), "changed")


SHAPES = {"Any": Shape(Any), "Number": Shape(float), "Model": Shape(Vessel)}
