"""`EventLoopThread`: an event loop in a thread of its own, for programs without one."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from threading import Lock, Thread
from typing import TypeVar

T = TypeVar("T")
_CLOSED = "the client has been closed"

AtTheEnd = Callable[[], Coroutine[object, object, None]]


class EventLoopThread:
    """Runs coroutines in one event loop, for callers that block, from any thread.

    The thread starts with the first coroutine, so that a program may fork before that.
    The thread ends at `close`, or when nothing refers to this object any more. anyio's
    portal is not used: the garbage collector would have to wait for the portal's end,
    and it may run in the portal's own thread.

    Args:
        at_the_end: The coroutine that the thread runs last.
    """

    def __init__(self, at_the_end: AtTheEnd) -> None:
        self._at_the_end = at_the_end
        self._lock = Lock()
        self._is_closed = False
        self._started: tuple[asyncio.AbstractEventLoop, Thread] | None = None

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine and return its result.

        If the caller is interrupted, the coroutine is cancelled.

        Raises:
            RuntimeError: The thread is closed, or the process was forked.
        """
        with self._lock:
            try:
                loop = self._running_loop()
            except RuntimeError:
                coroutine.close()
                raise
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError(_CLOSED) from None
        finally:
            future.cancel()  # has an effect only after Ctrl-C in the caller

    def close(self) -> None:
        """Cancel all coroutines that still run, and end the thread."""
        with self._lock:
            self._is_closed = True
        if self._started:
            self._stop()
            self._started[1].join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._is_closed:
            raise RuntimeError(_CLOSED)
        if not self._started:
            loop = asyncio.new_event_loop()
            thread = Thread(
                target=_run,
                args=(loop, self._at_the_end),
                name="parallelizework",
                daemon=True,
            )
            self._stop = weakref.finalize(self, loop.call_soon_threadsafe, loop.stop)
            thread.start()
            self._started = loop, thread
        loop, thread = self._started
        if not thread.is_alive():
            raise RuntimeError("a client cannot be used after a fork: create another")
        return loop


def _run(loop: asyncio.AbstractEventLoop, at_the_end: AtTheEnd) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
        runner.run(at_the_end())
