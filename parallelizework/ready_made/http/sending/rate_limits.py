"""`RateLimits`: slows down requests to hosts that answer with `Retry-After`."""

import asyncio
from dataclasses import dataclass, field
from time import perf_counter

from parallelizework.ready_made.http.requests.urls import Origin

# Seconds that all requests to a host wait at most: other paths may have other quotas.
_MAX_PAUSE = 60.0
_MAX_WAIT = 10.0  # seconds of a wait in the process; a longer pause is durable
_FIRST_INTERVAL = 0.1  # seconds between two requests, after the first `Retry-After`
_MAX_INTERVAL = 1.0  # seconds
_MIN_INTERVAL = 0.001  # seconds; below this interval, the limit is removed
_SLOWER = 2.0  # the interval is multiplied by this at the next `Retry-After`
_FASTER = 0.98  # and by this at each answer: from 20 a second to 60 in a minute
_MAX_ORIGINS = 1_000  # with a limit; the oldest limit is removed


class TooEarly(Exception):
    """A request has to wait longer than it may wait in the process.

    Attributes:
        status: The status of the response with `Retry-After`.
        seconds: The time that the request has to wait, in seconds.
    """

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s too early")
        self.status = status
        self.seconds = seconds


@dataclass
class _Pace:
    status: int
    opens: float = 0.0  # the time from which the host accepts requests
    next: float = 0.0  # the time of the next request
    interval: float = _FIRST_INTERVAL / _SLOWER
    waiting: int = 0
    head: asyncio.Lock = field(default_factory=asyncio.Lock)

    def check(self, seconds: float) -> None:
        if seconds > _MAX_WAIT:
            raise TooEarly(self.status, seconds)


class RateLimits:
    """Decides when requests are sent to an origin that has answered `Retry-After`.

    No request is sent before the time that the host named. After that, requests are
    sent one by one. The interval between two requests becomes shorter with each answer,
    and it doubles with each further `Retry-After`. The rate soon is close to the rate
    that the host allows, and the host refuses few requests.

    An object belongs to one event loop.
    """

    def __init__(self) -> None:
        self._paces: dict[Origin, _Pace] = {}

    async def wait(self, origin: Origin) -> None:
        """Wait until a request may be sent; requests are sent in the order of calls.

        Raises:
            TooEarly: The wait would take more than ten seconds.
        """
        pace = self._paces.get(origin)
        if not pace:
            return
        pace.check(pace.next - perf_counter() + pace.waiting * pace.interval)
        pace.waiting += 1
        try:
            async with pace.head:
                while (seconds := pace.next - perf_counter()) > 0:
                    pace.check(seconds)
                    await asyncio.sleep(seconds)
                pace.next = perf_counter() + pace.interval
        finally:
            pace.waiting -= 1

    def is_open(self, origin: Origin) -> bool:
        """Whether no `Retry-After` forbids a request now."""
        pace = self._paces.get(origin)
        return not pace or pace.opens <= perf_counter()

    def refused(
        self, origin: Origin, status: int, seconds: float, *, sent: float
    ) -> None:
        """Delay requests for the time that the host asks for.

        Args:
            sent: The time when the request was sent, by `perf_counter`.
        """
        pace = self._paces.get(origin) or self._added(origin, status)
        if sent >= pace.opens:  # several refusals of requests in flight count once
            pace.interval = min(_MAX_INTERVAL, pace.interval * _SLOWER)
        pace.status = status
        pace.opens = max(pace.opens, perf_counter() + min(seconds, _MAX_PAUSE))
        pace.next = max(pace.next, pace.opens)

    def answered(self, origin: Origin) -> None:
        """Shorten the interval, because the host has answered a request."""
        pace = self._paces.get(origin)
        if pace:
            pace.interval *= _FASTER
            if pace.interval < _MIN_INTERVAL:
                del self._paces[origin]

    def _added(self, origin: Origin, status: int) -> _Pace:
        if len(self._paces) >= _MAX_ORIGINS:
            del self._paces[next(iter(self._paces))]
        pace = self._paces[origin] = _Pace(status)
        return pace
