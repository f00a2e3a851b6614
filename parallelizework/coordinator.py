"""The window: dispatch calls, collect their answers in order, cancel the losers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import restate
from restate import Context, RestateDurableCallFuture, TerminalError

Future = RestateDurableCallFuture[bytes]


@dataclass(frozen=True)
class Call:
    """A handler that subtasks are sent to."""

    service: str
    handler: str

    def start(self, ctx: Context, body: bytes) -> Future:
        """Send one subtask; the future is its answer."""
        return ctx.generic_call(self.service, self.handler, body)


async def fan_out(
    ctx: Context, call: Call, bodies: Sequence[bytes], *, window: int
) -> list[bytes]:
    """Call `call` once for each body and answer with the results, in order.

    Args:
        window: How many calls may be in flight at once. A freed place is filled
            again, so a slow subtask holds back no other.

    Raises:
        TerminalError: A call failed: the message names its index, and every call
            still in flight has been cancelled and has ended. Or the run itself was
            cancelled.
    """
    flight = _Flight()
    for index, body in enumerate(bodies):
        while len(flight) == window:
            await flight.land_some()
        flight.take_off(call.start(ctx, body), index)
    while flight:
        await flight.land_some()
    return [flight.results[index] for index in range(len(bodies))]


@dataclass
class _Flight:
    """The calls in flight, and the results of those that have landed."""

    results: dict[int, bytes] = field(default_factory=dict[int, bytes])
    _indexes: dict[Future, int] = field(default_factory=dict[Future, int])

    def __len__(self) -> int:
        return len(self._indexes)

    def take_off(self, future: Future, index: int) -> None:
        self._indexes[future] = index

    async def land_some(self) -> None:
        """Wait until a call ends, and keep its result.

        The SDK hands over completions in the order of the journal, one at a time, so
        what is in flight at this point is the same in every replay.
        """
        landed, _ = await restate.wait_completed(*self._indexes)
        for future in cast("list[Future]", landed):
            index = self._indexes.pop(future)
            try:
                self.results[index] = await future
            except TerminalError as error:
                await self._cancel()
                raise TerminalError(
                    f"subtask {index} failed: {error.message}", error.status_code
                ) from error

    async def _cancel(self) -> None:
        for future in self._indexes:
            await future.cancel_invocation()
        await restate.gather(*self._indexes)
