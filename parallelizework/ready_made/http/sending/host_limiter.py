"""`HostLimiter`: limits the requests that one process sends to a host at once."""

from asyncio import Semaphore
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class HostLimiter:
    """Limits the requests in flight to each host.

    Args:
        limit: The largest number of requests in flight to one host.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limiters = WeakValueDictionary[tuple[str, int], Semaphore]()

    @asynccontextmanager
    async def held(self, host: str, limit: int | None = None) -> AsyncGenerator[None]:
        """Wait until a host may be sent a request; the block counts as in flight.

        Args:
            limit: A lower limit. All requests with the same lower limit share it.
        """
        async with self._limiter(host, min(limit or self._limit, self._limit)):
            if limit is None or limit >= self._limit:
                yield
                return
            async with self._limiter(host, self._limit):
                yield

    def _limiter(self, host: str, limit: int) -> Semaphore:
        return self._limiters.setdefault((host, limit), Semaphore(limit))
