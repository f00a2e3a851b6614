"""`interrupting`: ends async functions that block the event loop.

Such a function, for example with `time.sleep`, cannot be canceled. AWS Lambda would
stop the process, and the restate-server would execute the function again without end.
"""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType

from parallelizework.attempts.time_left import interrupt

# Not SIGALRM: functions use it for timeouts of their own.
_SIGNAL = getattr(signal, "SIGUSR2", None)  # None on Windows
_PROTECTED = ("asyncio.", "parallelizework.definition.")  # modules
_REASON = "It blocked its event loop: use a sync function, or await instead"
_AGAIN = 0.01  # seconds; the next function may block, too


@contextmanager
def interrupting(seconds: float) -> Generator[None]:
    """After some time, interrupt each function that blocks the event loop.

    The code of asyncio, which would lose a wake-up, and our own are not interrupted,
    nor is code that is not in Python and that never checks for signals.

    Args:
        seconds: The time from now, in seconds.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if _SIGNAL is None or not is_main:
        yield
        return

    def interrupted(_signal: int, frame: FrameType | None) -> None:
        if not _is_protected(frame):
            interrupt(_REASON)

    previous = signal.signal(_SIGNAL, interrupted)
    ended = threading.Event()
    send = partial(signal.pthread_kill, threading.get_ident(), _SIGNAL)
    watch = threading.Thread(target=_repeat, args=(send, seconds, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()  # before the signal has its previous meaning
        signal.signal(_SIGNAL, previous)


def _repeat(send: Callable[[], None], seconds: float, ended: threading.Event) -> None:
    """Send a signal again and again, from some time on until the end."""
    pause = max(0.0, seconds)
    while not ended.wait(pause):
        send()
        pause = _AGAIN


def _is_protected(frame: FrameType | None) -> bool:
    module = str(frame.f_globals.get("__name__", "")) if frame else ""
    return module.startswith(_PROTECTED)
