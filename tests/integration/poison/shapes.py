"""Types of value, each with a healthy value that says which poison is to arise."""

import math
from functools import cache
from typing import Any

from ..fan_outs.ledger import Ledger
from .errors import ERRORS
from .models import AT, Dose, Vessel
from .values import NUMBER, SIZES, VALUES


def arise(dose: Dose) -> Any:
    """Raise what is raised, or return what is a value."""
    if dose.key:
        Ledger(dose.key).enter()
    if error := ERRORS.get(dose.kind):
        raise error()
    return next(of[dose.kind] for of in (*VALUES.values(), SIZES) if dose.kind in of)()


def was_entered(key: str) -> bool:
    """Whether the poison of that key has arisen, on this machine."""
    return Ledger(key).size > 0


@cache
def _known() -> list[tuple[str, object]]:
    kinds = [(kind, make) for of in VALUES.values() for kind, make in of.items()]
    readable = [each for each in kinds if each[0] not in ("cycle", "5000 levels")]
    return [(kind, make()) for kind, make in readable]


def _is_same(value: object, known: object) -> bool:
    if type(value) is not type(known):
        return False
    may_hold_nan = type(known) in (float, dict, Vessel)  # which does not equal itself
    return value == known or (may_hold_nan and _shown(value) == _shown(known))


def _shown(value: object) -> object:
    """A value as text, or itself where it has too many digits for that."""
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
        """The dose in a healthy value, if there is one."""
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
        """Which poison a value is, if it has come through as it was."""
        if self.dose(value):
            return "healthy"
        known = _known()
        return next((kind for kind, k in known if _is_same(value, k)), "changed")


SHAPES = {"Any": Shape(Any), "Number": Shape(float), "Model": Shape(Vessel)}
