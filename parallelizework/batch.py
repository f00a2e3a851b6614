"""A batch: several subtasks executed by one call, each with an outcome of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
from pydantic import BaseModel
from restate import TerminalError
from restate.exceptions import RetryableError

Subtask = TypeVar("Subtask")
Value = TypeVar("Value")

_FIRST_PAUSE = 0.05  # seconds; these two are the SDK's for a durable step
_LONGEST_PAUSE = 10.0


class Failure(BaseModel):
    """How a subtask of a batch failed.

    Attributes:
        place: Its place in the batch.
        code: The status code of its error.
    """

    place: int
    message: str
    code: int


class Batch(BaseModel, Generic[Value]):
    """The outcomes of a batch: the values, in order, of those that succeeded."""

    values: list[Value]
    failures: list[Failure]


@dataclass(frozen=True)
class BatchRunner(Generic[Subtask, Value]):
    """Executes the subtasks of a batch concurrently, each with its own attempts.

    Args:
        slots: How many may be executing at once.
        max_attempts: How often each may be tried, with the pauses of a durable step.
    """

    execute: Callable[[Subtask], Awaitable[Value]]
    slots: int
    max_attempts: int

    async def run(self, subtasks: Sequence[Subtask]) -> Batch[Value]:
        """Execute all; one that fails leaves its mates alone."""
        outcomes: dict[int, Value | Failure] = {}
        slots = anyio.CapacityLimiter(self.slots)

        async def one(place: int) -> None:
            async with slots:
                outcomes[place] = await self._outcome(place, subtasks[place])

        async with anyio.create_task_group() as group:
            for place in range(len(subtasks)):
                group.start_soon(one, place)
        ordered = [outcomes[place] for place in range(len(subtasks))]
        return Batch[Value](
            values=[o for o in ordered if not isinstance(o, Failure)],
            failures=[o for o in ordered if isinstance(o, Failure)],
        )

    async def _outcome(self, place: int, subtask: Subtask) -> Value | Failure:
        pause = _FIRST_PAUSE
        for attempt in range(1, self.max_attempts + 1):
            try:
                return await self.execute(subtask)
            except TerminalError as error:
                return Failure(
                    place=place, message=error.message, code=error.status_code
                )
            except Exception as error:
                if attempt == self.max_attempts:
                    return Failure(place=place, message=repr(error), code=500)
                await anyio.sleep(_asked_pause(error) or pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
        raise AssertionError("max_attempts is at least 1")


def _asked_pause(error: Exception) -> float | None:
    asked = error.retry_after if isinstance(error, RetryableError) else None
    return asked.total_seconds() if asked else None
