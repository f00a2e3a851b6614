"""`RateLimits`: fewer requests to hosts that answer `Retry-After`."""

import asyncio
from dataclasses import dataclass, field
from time import perf_counter

from parallelizework.ready_made.http.requests.urls import Origin

_LONGEST = 60.0  # seconds that all requests wait: other paths may have other quotas
_PATIENCE = 10.0  # seconds to wait in the process; a longer pause is durable
_FIRST = 0.1  # seconds between two requests, after a host's first `Retry-After`
_SLOWEST = 1.0
_FREE = 0.001  # a shorter interval is no limit any more
_SLOWER = 2.0  # factor of the interval at the next `Retry-After`
_FASTER = 0.98  # factor at each answer: from 20 a second to 60 in a minute
_ORIGINS = 1_000  # with a limit, at most; the oldest limit is forgotten


class TooEarly(Exception):
    """A request has to wait longer than a process should wait.

    Attributes:
        status: The status of the response with `Retry-After`.
        seconds: How long the request has to wait.
    """

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s too early")
        self.status = status
        self.seconds = seconds


@dataclass
class _Pace:
    status: int
    opens: float = 0.0  # the host accepts no request before
    next: float = 0.0  # when the interval after the last request ends
    interval: float = _FIRST / _SLOWER
    waiting: int = 0
    head: asyncio.Lock = field(default_factory=asyncio.Lock)

    def check(self, seconds: float) -> None:
        if seconds > _PATIENCE:
            raise TooEarly(self.status, seconds)


class RateLimits:
    """When requests may be sent to an origin that has answered `Retry-After`.

    No request is sent before the moment that the host named. After that moment they
    are sent one by one. The interval between them shrinks with each answer and doubles
    with each further `Retry-After`: requests soon are as fast as the host allows, and
    few of them are refused.

    An object belongs to one event loop.
    """

    def __init__(self) -> None:
        self._paces: dict[Origin, _Pace] = {}

    async def wait(self, origin: Origin) -> None:
        """Wait until a request may be sent, in the order of the calls.

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
        """Hold requests back for the seconds that the host asks for.

        Args:
            sent: When the request was sent, by `perf_counter`.
        """
        pace = self._paces.get(origin) or self._added(origin, status)
        if sent >= pace.opens:  # requests in flight at the first one count once
            pace.interval = min(_SLOWEST, pace.interval * _SLOWER)
        pace.status = status
        pace.opens = max(pace.opens, perf_counter() + min(seconds, _LONGEST))
        pace.next = max(pace.next, pace.opens)

    def answered(self, origin: Origin) -> None:
        """Shorten the interval, as the host has answered a request."""
        pace = self._paces.get(origin)
        if pace:
            pace.interval *= _FASTER
            if pace.interval < _FREE:
                del self._paces[origin]

    def _added(self, origin: Origin, status: int) -> _Pace:
        if len(self._paces) >= _ORIGINS:
            del self._paces[next(iter(self._paces))]
        pace = self._paces[origin] = _Pace(status)
        return pace
