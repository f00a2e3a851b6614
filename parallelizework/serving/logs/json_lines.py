"""`JsonLines`: formats a record of the log as one line of JSON."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from parallelizework.attempts.tracebacks import shown
from parallelizework.serving.logs.fields import attempt_fields, trace_fields

# Attributes that a record has anyway. All others are fields of the user, or of ours.
_STANDARD = {
    *vars(logging.makeLogRecord({})),
    "asctime",
    "message",
    "taskName",
    "restate_invocation",
    "traceback",
}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object in one line of ASCII characters.

    A value that is not JSON is shown by its `repr`. No record raises an error.

    Args:
        end: The end of a line, for a handler that does not add it.
    """

    def __init__(self, end: str = "") -> None:
        super().__init__()
        self._end = end

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        pairs = self._fields(record).items()
        fields = ", ".join(f"{_json(str(key))}: {_json(each)}" for key, each in pairs)
        return f"{{{fields}}}{self._end}"

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "process": record.process,
        }
        fields |= _current(record)
        for key, value in _extra(record):
            fields[f"{key}_" if key in fields else key] = value
        if traceback := self._traceback(record):
            fields["traceback"] = traceback
        if record.stack_info:
            fields["stack"] = record.stack_info
        return fields

    def _traceback(self, record: logging.LogRecord) -> object:
        error = record.exc_info
        if error and error[0]:
            return self.formatException(error)
        return getattr(record, "traceback", None)


def _time(created: float) -> str:
    """The time of a record: `2026-11-26T07:08:09.123Z`."""
    time = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    return time.replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    """The message. A traceback in it is replaced by the message of the error."""
    try:
        message = record.getMessage()
    except Exception:  # the arguments do not fit the message
        return f"{shown(record.msg)} {shown(record.args)}"
    traceback = getattr(record, "traceback", None)
    if isinstance(traceback, str) and message.endswith(f"\n{traceback}"):
        about = message.removesuffix(f"\n{traceback}")
        return f"{about}: {getattr(record, 'error', '')}"
    return message


def _current(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of the invocation, of the trace and of the attempt."""
    fields: dict[str, Any] = {}
    invocation = getattr(record, "restate_invocation", "-")
    if invocation != "-":
        fields["invocation"] = invocation
    with suppress(Exception):  # of OpenTelemetry
        fields |= trace_fields()
    return fields | attempt_fields()


def _extra(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """The fields that the caller passed with `extra`."""
    for key, value in vars(record).items():
        if key not in _STANDARD:
            yield key, value


def _json(value: object) -> str:
    try:
        return json.dumps(value, default=shown, allow_nan=False)
    except Exception:  # a circle, a key that is no text, or a number like NaN
        return json.dumps(shown(value))
