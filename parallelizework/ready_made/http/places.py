"""`Places`: how many requests one process sends to a host at once."""

from asyncio import Semaphore
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Places:
    """A bounded number of places at each host.

    Args:
        most: How many there are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = WeakValueDictionary[tuple[str, int], Semaphore]()

    @asynccontextmanager
    async def at(self, host: str, most: int | None = None) -> AsyncGenerator[None]:
        """Wait for a place, and hold it while the block runs.

        Args:
            most: A lower bound, which those share who name the same one.
        """
        fewer = self._places(host, min(most or self._most, self._most))
        async with fewer:
            if most is None or most >= self._most:
                yield
                return
            async with self._places(host, self._most):
                yield

    def _places(self, host: str, most: int) -> Semaphore:
        return self._held.setdefault((host, most), Semaphore(most))
