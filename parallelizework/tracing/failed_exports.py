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
    """Log one failed export a minute, and one time a minute that spans are dropped."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(OnceAMinute())


class OnceAMinute(logging.Filter):
    """Passes a record, and then no other record for a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a minute has passed since the last record that passed."""
        now = monotonic()
        if now < self._passed + _PAUSE:
            return False
        self._passed = now
        return True
