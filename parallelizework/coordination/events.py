"""`Events`: all that a coordinator waits for, and what to do when it happens."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import restate
from restate import RestateDurableFuture

T = TypeVar("T")

Future = RestateDurableFuture[Any]


class Events:
    """Durable futures, each with what to do when it completes.

    The SDK hands over completions in the order of the journal, one at a time. So what
    is done here happens in the same order in every replay.
    """

    def __init__(self) -> None:
        self._events: dict[Future, Callable[[], Awaitable[None] | None]] = {}

    def on(self, future: Future, do: Callable[[], Awaitable[None] | None]) -> None:
        """Do something when a future completes."""
        self._events[future] = do

    def drop(self, future: Future | None) -> None:
        """No longer wait for a future."""
        if future is not None:
            self._events.pop(future, None)

    async def wait(self, *others: Future) -> bool:
        """Wait until one of them completes, and do what there is to do.

        Returns:
            Whether one of the others completed, for which there is nothing to do.
        """
        completed, _ = await restate.wait_completed(*others, *self._events)
        for future in completed:
            if do := self._events.pop(future, None):
                done = do()
                if done is not None:
                    await done
        return any(future in others for future in completed)
