"""`HostLimiter`: how many requests one process sends to a host at once."""

from asyncio import Semaphore
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class HostLimiter:
    """Bounds the requests in flight to each host.

    Args:
        limit: How many requests may be in flight to one host.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limiters = WeakValueDictionary[tuple[str, int], Semaphore]()

    @asynccontextmanager
    async def held(self, host: str, limit: int | None = None) -> AsyncGenerator[None]:
        """Wait until a request to a host may be in flight, and count it for the block.

        Args:
            limit: A lower limit, which all that name the same one share.
        """
        async with self._limiter(host, min(limit or self._limit, self._limit)):
            if limit is None or limit >= self._limit:
                yield
                return
            async with self._limiter(host, self._limit):
                yield

    def _limiter(self, host: str, limit: int) -> Semaphore:
        return self._limiters.setdefault((host, limit), Semaphore(limit))
