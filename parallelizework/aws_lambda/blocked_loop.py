"""`interrupting`: ends async functions that block the event loop.

Such a function, for example with `time.sleep`, cannot be canceled. AWS Lambda would
stop the process, and the restate-server would execute the function again without end.
"""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from parallelizework.attempts.time_left import is_limited
from parallelizework.definition.job import TookTooLong

_LEAST = 0.001  # seconds; 0 would mean no timer
_AGAIN = 0.01  # seconds; the next function may block, too


@contextmanager
def interrupting(seconds: float, reason: str) -> Generator[None]:
    """After some time, raise `TookTooLong` in each function that blocks the event loop.

    Nothing is raised outside of a user's function, nor in the code of asyncio, which
    would lose a wake-up. Code that is not in Python, and that never checks for signals,
    is not interrupted.

    Args:
        seconds: The time from now, in seconds.
        reason: What happens soon after it, for messages.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and hasattr(signal, "setitimer")):
        yield
        return

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        if is_limited() and not _is_of_asyncio(frame):
            raise TookTooLong(
                f"longer than {seconds:.3g} s: {reason}. It blocked its event loop: "
                "use a sync function, or await instead"
            )

    previous = signal.signal(signal.SIGALRM, interrupt)
    began = monotonic()
    first = max(seconds, _LEAST)
    timer, interval = signal.setitimer(signal.ITIMER_REAL, first, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if timer:  # of somebody else
            left = timer - (monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, _LEAST), interval)


def _is_of_asyncio(frame: FrameType | None) -> bool:
    module = str(frame.f_globals.get("__name__", "")) if frame else ""
    return module.partition(".")[0] == "asyncio"
