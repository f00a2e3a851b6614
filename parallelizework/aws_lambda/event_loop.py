"""`EventLoop`: one event loop for all invocations of an execution environment.

AWS Lambda keeps the process of an environment between two invocations. A client that a
function keeps in a global variable, such as an `httpx.AsyncClient`, belongs to one
event loop. So all invocations share the loop.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

_SECONDS = 1.0  # for tasks to end after their cancellation


class EventLoop:
    """An event loop that starts at the first invocation, and survives any error."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine until its end.

        If the coroutine raises an error, even a KeyboardInterrupt, the tasks that have
        started meanwhile are canceled: they must not continue in the next invocation.
        """
        # Not at the import: a forked process, or a snapshot, must not share a loop.
        self._loop = loop = self._loop or asyncio.new_event_loop()
        before = asyncio.all_tasks(loop)
        try:
            loop.run_until_complete(work)
        except BaseException:
            _cancel(loop, asyncio.all_tasks(loop) - before)
            raise


def _cancel(
    loop: asyncio.AbstractEventLoop, tasks: "set[asyncio.Task[object]]"
) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_SECONDS))
