"""`start` and `SpanSender`: the traces and the log of a function on AWS Lambda."""

import logging
from time import monotonic

from parallelizework.serving import logs
from parallelizework.settings import Settings, sends_traces
from parallelizework.tracing import start_tracing
from parallelizework.tracing.start import flush

_LONGEST = 1.0  # seconds; each invocation waits for its spans
_UNTIL_NEXT = 30.0  # seconds; after the endpoint did not answer


def start() -> None:
    """Make spans, and log lines of JSON, if the environment asks for them.

    The handlers of the log are those of the runtime of AWS Lambda.

    Raises:
        SettingsError: A setting is invalid.
        StartError: The environment asks for traces, and the extra `telemetry` is not
            installed.
    """
    logs.adopt(logging.root.handlers, Settings().log_format)
    if sends_traces():  # the program may have set a tracer provider before
        start_tracing()


class SpanSender:
    """Sends the spans of an invocation before its answer.

    After the answer, AWS Lambda freezes the process until the next invocation. If the
    endpoint does not answer, the next invocations do not wait for it.
    """

    def __init__(self) -> None:
        self._next = 0.0  # by `time.monotonic`

    def send(self, seconds: float) -> None:
        """Send all spans, in at most one second.

        Args:
            seconds: The time that the function has left, in seconds.
        """
        if monotonic() < self._next:
            return
        if not flush(min(_LONGEST, seconds / 2)):
            self._next = monotonic() + _UNTIL_NEXT
