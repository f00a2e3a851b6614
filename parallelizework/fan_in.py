"""`FanIn`: the values of a run, in order, combined as they come where they can be."""

from collections.abc import Awaitable, Callable
from typing import Any

_FOLD = 16  # values that are held before they are combined

Combine = Callable[[list[Any]], Awaitable[Any]]


class FanIn:
    """Collects the answers of a coordinator's calls.

    Args:
        read: The values that an answer holds.
        combine: Folds values into one, where the fan-out can.
    """

    def __init__(
        self, read: Callable[[bytes], list[Any]], combine: Combine | None
    ) -> None:
        self._read = read
        self._combine = combine
        self._early: dict[int, bytes] = {}
        self._next = 0
        self._values: list[Any] = []

    async def land(self, place: int, answer: bytes) -> None:
        """Take the answer to the call at `place`, whatever has come before."""
        self._early[place] = answer
        while self._next in self._early:
            self._values += self._read(self._early.pop(self._next))
            self._next += 1
        if len(self._values) >= _FOLD:
            await self.values()

    async def values(self) -> list[Any]:
        """The values so far; no more than one, where they can be combined."""
        if self._combine and len(self._values) > 1:
            self._values = [await self._combine(self._values)]
        return self._values
