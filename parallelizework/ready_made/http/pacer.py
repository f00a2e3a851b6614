"""`Pacer`: fewer requests to those hosts that ask for fewer."""

import asyncio
from dataclasses import dataclass, field
from time import perf_counter

Origin = tuple[str, bytes, int | None]

_LONGEST = 60.0  # seconds that all wait: not each path of a host may have its quota
_PATIENCE = 10.0  # seconds to wait in the process; a longer pause shall be durable
_FIRST = 0.1  # seconds between two requests, once a host has asked for fewer
_SLOWEST = 1.0
_FREE = 0.001  # as short, an interval is none
_SLOWER = 2.0  # by what the interval grows when a host asks again
_FASTER = 0.98  # and shrinks with each answer: 20 a second take a minute to be 60
_HOSTS = 1_000  # that are known to have asked, at most


class TooEarly(Exception):
    """A request has to wait for longer than it should do here.

    Attributes:
        status: The status by which the host asked for that.
        seconds: How long it has to wait.
    """

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s too early")
        self.status = status
        self.seconds = seconds


@dataclass
class _Pace:
    status: int
    opens: float = 0.0  # no request before
    next: float = 0.0  # nor before this one, which leaves an interval after the last
    interval: float = _FIRST / _SLOWER
    waiting: int = 0
    head: asyncio.Lock = field(default_factory=asyncio.Lock)

    def check(self, seconds: float) -> None:
        if seconds > _PATIENCE:
            raise TooEarly(self.status, seconds)


class Pacer:
    """When requests may go to a host that has answered `Retry-After`.

    None does before the host said. After that they go one by one, with an interval
    between them that shrinks with each answer and doubles when the host asks again. So
    they soon go as fast as the host allows, and few of them are in vain.

    It belongs to one event loop.
    """

    def __init__(self) -> None:
        self._paces: dict[Origin, _Pace] = {}

    async def wait(self, origin: Origin) -> None:
        """Wait for the turn of a request, in the order of the calls.

        Raises:
            TooEarly: That would take more than ten seconds.
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
        """Whether a host may be sent a request, as far as it has said."""
        pace = self._paces.get(origin)
        return not pace or pace.opens <= perf_counter()

    def refused(
        self, origin: Origin, status: int, seconds: float, *, sent: float
    ) -> None:
        """Hold requests back, as a host asks to come back in so many seconds.

        Args:
            sent: When the request was sent, by `perf_counter`.
        """
        pace = self._paces.get(origin) or self._added(origin, status)
        if sent >= pace.opens:  # not one of those that were under way already
            pace.interval = min(_SLOWEST, pace.interval * _SLOWER)
        pace.status = status
        pace.opens = max(pace.opens, perf_counter() + min(seconds, _LONGEST))
        pace.next = max(pace.next, pace.opens)

    def answered(self, origin: Origin) -> None:
        """Let requests go a little faster, as a host has answered one."""
        pace = self._paces.get(origin)
        if pace:
            pace.interval *= _FASTER
            if pace.interval < _FREE:
                del self._paces[origin]

    def _added(self, origin: Origin, status: int) -> _Pace:
        if len(self._paces) >= _HOSTS:
            del self._paces[next(iter(self._paces))]
        pace = self._paces[origin] = _Pace(status)
        return pace
