"""`log_once_a_minute`: limits the log of an exporter whose endpoint does not answer."""

import logging
import math
from time import monotonic

_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
)
_PAUSE = 60.0  # seconds; the exporter would log each of its attempts


def log_once_a_minute() -> None:
    """Log each problem of an export at most once a minute."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(OnceAMinute())


class OnceAMinute(logging.Filter):
    """Passes a record, and for a minute no other record with the same text."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, float] = {}  # when a record passed, by its text

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether no record with this text has passed within the last minute."""
        text, now = str(record.msg), monotonic()
        if now < self._passed.get(text, -math.inf) + _PAUSE:
            return False
        self._passed[text] = now
        return True
