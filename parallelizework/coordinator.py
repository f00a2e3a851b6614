"""The window: dispatch calls, collect their answers in order, cancel the losers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import restate
from restate import Context, RestateDurableCallFuture, TerminalError

Future = RestateDurableCallFuture[bytes]


@dataclass(frozen=True)
class Call:
    """One call to make.

    Attributes:
        name: What it does, for the message when it fails; empty where the message of
            the one who was called says it already.
    """

    service: str
    handler: str
    body: bytes
    name: str = ""

    def start(self, ctx: Context) -> Future:
        """Make the call; the future is its answer."""
        return ctx.generic_call(self.service, self.handler, self.body)

    def failure(self, error: TerminalError) -> TerminalError:
        """Why it failed, for whoever waits for the run."""
        message = f"{self.name}: {error.message}" if self.name else error.message
        return TerminalError(message, error.status_code)


async def fan_out(ctx: Context, calls: Iterable[Call], *, window: int) -> list[bytes]:
    """Make the calls and answer with the results, in order.

    Args:
        window: How many calls may be in flight at once. A freed place is filled
            again, so a slow call holds back no other.

    Raises:
        TerminalError: A call failed, and every call still in flight has been
            cancelled and has ended. Or the run itself was cancelled.
    """
    flight = _Flight()
    for call in calls:
        while len(flight) == window:
            await flight.land_some()
        flight.take_off(call, call.start(ctx))
    while len(flight):
        await flight.land_some()
    return flight.results


@dataclass
class _Flight:
    """The calls in flight, and the results of those that have landed."""

    results: list[bytes] = field(default_factory=list[bytes])
    _places: dict[Future, tuple[int, Call]] = field(
        default_factory=dict[Future, tuple[int, Call]]
    )

    def __len__(self) -> int:
        return len(self._places)

    def take_off(self, call: Call, future: Future) -> None:
        self._places[future] = len(self.results), call
        self.results.append(b"")

    async def land_some(self) -> None:
        """Wait until a call ends, and keep its result.

        The SDK hands over completions in the order of the journal, one at a time, so
        what is in flight at this point is the same in every replay.
        """
        landed, _ = await restate.wait_completed(*self._places)
        for future in cast("list[Future]", landed):
            place, call = self._places.pop(future)
            try:
                self.results[place] = await future
            except TerminalError as error:
                await self._cancel()
                raise call.failure(error) from error

    async def _cancel(self) -> None:
        for future in self._places:
            await future.cancel_invocation()
        await restate.gather(*self._places)
