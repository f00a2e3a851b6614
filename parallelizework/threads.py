"""`Threads`: where sync functions run, so many at once."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

Run = Callable[[Callable[[], object]], Awaitable[Any]]


class Threads:
    """A bounded number of threads.

    A function that nobody waits for any more, as it was cancelled or took too long,
    keeps its place until it really ends.
    """

    def __init__(self, most: int) -> None:
        self._places = CapacityLimiter(most)
        self._threads = CapacityLimiter(math.inf)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Run, None]:
        """Wait for a place, and have what runs one function there."""
        jobs: list[asyncio.Task[object]] = []

        async def run(function: Callable[[], object]) -> object:
            jobs.append(asyncio.create_task(run_sync(function, limiter=self._threads)))
            return await asyncio.shield(jobs[0])

        holder = object()
        await self._places.acquire_on_behalf_of(holder)
        try:
            yield run
        finally:
            if jobs and not jobs[0].done():
                jobs[0].add_done_callback(
                    lambda _: self._places.release_on_behalf_of(holder)
                )
            else:
                self._places.release_on_behalf_of(holder)
