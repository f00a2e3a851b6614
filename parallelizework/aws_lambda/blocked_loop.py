"""`interrupting`: ends an async function that blocks the event loop.

Such a function, for example with `time.sleep`, cannot be canceled. AWS Lambda would
stop the process, and the restate-server would execute the function again without end.
"""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from parallelizework.definition.job import TookTooLong

_LEAST = 0.001  # seconds; 0 would mean no timer
_LOOP = "_run_once"  # the function of an event loop that waits, or calls a callback


@contextmanager
def interrupting(seconds: float, reason: str) -> Generator[None]:
    """Raise `TookTooLong` in the code that blocks the event loop after some time.

    Nothing is raised while the event loop waits: then other limits of the time work.
    Code that is not in Python, and that never checks for signals, is not interrupted.

    Args:
        seconds: The time from now, in seconds.
        reason: What happens soon after it, for messages.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and hasattr(signal, "setitimer")):
        yield
        return

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        if frame and not _waits(frame):
            raise TookTooLong(
                f"longer than {seconds:.3g} s: {reason}. It blocked its event loop: "
                "use a sync function, or await instead"
            )

    previous = signal.signal(signal.SIGALRM, interrupt)
    began = monotonic()
    timer, _ = signal.setitimer(signal.ITIMER_REAL, max(seconds, _LEAST))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if timer:  # of somebody else
            left = timer - (monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, _LEAST))


def _waits(frame: FrameType) -> bool:
    """Whether the event loop itself executes: it waits, or it is between two tasks."""
    caller = frame.f_back
    return _LOOP in (frame.f_code.co_name, caller.f_code.co_name if caller else "")
