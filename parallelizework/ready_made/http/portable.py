"""`is_portable`: which values JSON can carry through a run. Pure."""

from pydantic import JsonValue
from pydantic_core import from_json, to_json

# pydantic reads 201 nested arrays. A subtask in a failure in a slice is nested in fewer
# than twenty, and the caller may nest the answer further.
_ROOM = 40
MISFIT = (
    "is nested deeper than 160 levels, or has a number that JSON does not know (NaN, "
    "infinity, thousands of digits)"
)


def is_portable(value: JsonValue) -> bool:
    """Whether a value, written as JSON, can be read again wherever a run nests it."""
    try:
        text = to_json(value, inf_nan_mode="constants")
        from_json(b"[" * _ROOM + text + b"]" * _ROOM, allow_inf_nan=False)
    except ValueError:
        return False
    return True
