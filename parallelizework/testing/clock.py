"""`SkippingLoop`: an event loop with a clock that skips pauses."""

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any

_NO_TIME = 0.01  # seconds of real time that do not count: a short function takes none


class _Selector(selectors.DefaultSelector):
    """Waits for sockets and threads; otherwise skips the time until the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.is_busy: Callable[[], bool] = lambda: False
        self.on_stuck: Callable[[], None] = lambda: None

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        # One file is always registered: threads wake the loop by it.
        if len(self.get_map()) > 1 or self.is_busy():
            return self._waited(timeout)
        if timeout is None:
            self.on_stuck()
        self.now += timeout or 0.0
        return []

    def _waited(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        ready = super().select(timeout)
        waited = time.monotonic() - began
        if not ready and timeout is not None:
            self.now += timeout
        elif waited > _NO_TIME:
            self.now += waited
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own.

    While all tasks sleep, the clock jumps to the next timer. So `asyncio.sleep` and
    `asyncio.timeout` take no real time. While a thread is busy or a socket is open, the
    loop waits in real time. Computing takes no time on this clock. So timers have the
    same order in each run, and no timeout passes because a machine is slow.

    Args:
        is_busy: Returns whether threads are busy that this loop does not know.
        on_stuck: Called if nothing can happen any more. Otherwise the loop would wait
            without end.
    """

    def __init__(
        self, is_busy: Callable[[], bool], on_stuck: Callable[[], None]
    ) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self._jobs = 0
        self._clock.is_busy = lambda: self._jobs > 0 or is_busy()
        self._clock.on_stuck = on_stuck

    def time(self) -> float:
        """Return the seconds that have passed on this clock."""
        return self._clock.now

    def run_in_executor(
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Run a function in a thread. The loop waits for it in real time."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._finished)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Wait in real time until the threads of the default executor have ended.

        From Python 3.13 on, asyncio bounds this by a timer of 300 seconds. The clock
        would jump to that timer, and asyncio would warn that the threads did not end.
        """
        self._jobs += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._jobs -= 1

    def _finished(self, _: object) -> None:
        self._jobs -= 1
