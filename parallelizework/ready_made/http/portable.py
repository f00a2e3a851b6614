"""Which values can travel as JSON, inside of what a run puts around them. Pure."""

from pydantic import JsonValue
from pydantic_core import from_json, to_json

# pydantic reads 201 levels. A subtask in a failure in a slice takes less than twenty of
# them, and who reads the answer may put it into something else.
_ROOM = 40
MISFIT = (
    "is nested deeper than 160 levels, or has a number that JSON does not know (NaN, "
    "infinity, thousands of digits)"
)


def is_portable(value: JsonValue) -> bool:
    """Whether a value, written as JSON, can be read again wherever it gets to."""
    try:
        text = to_json(value, inf_nan_mode="constants")
        from_json(b"[" * _ROOM + text + b"]" * _ROOM, allow_inf_nan=False)
    except ValueError:
        return False
    return True
