"""`is_portable`: which values JSON can carry through a run. Pure."""

from pydantic import JsonValue
from pydantic_core import from_json, to_json

# pydantic reads at most 201 nested arrays. A run adds fewer than twenty levels to a
# subtask (in a failure in a slice), and the caller may nest the answer further.
_RESERVED_LEVELS = 40
MISFIT = (
    "is nested deeper than 160 levels, or contains a number that JSON does not allow "
    "(NaN, infinity, thousands of digits)"
)


def is_portable(value: JsonValue) -> bool:
    """Whether a value can be written as JSON and read again, nested as in a run."""
    try:
        text = to_json(value, inf_nan_mode="constants")
        nested = b"[" * _RESERVED_LEVELS + text + b"]" * _RESERVED_LEVELS
        from_json(nested, allow_inf_nan=False)
    except ValueError:
        return False
    return True
