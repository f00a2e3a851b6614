"""The window: dispatch calls, hand over their answers, cancel the losers."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
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

    async def answer(self, future: Future) -> bytes:
        """The answer, or why there is none, for whoever waits for the run."""
        try:
            return await future
        except TerminalError as error:
            message = f"{self.name}: {error.message}" if self.name else error.message
            raise TerminalError(message, error.status_code) from error


async def fan_out(
    ctx: Context,
    calls: Iterable[Call],
    land: Callable[[int, bytes], Awaitable[None]],
    *,
    window: int,
) -> None:
    """Make the calls, and hand over each one's place and answer as it ends.

    Args:
        window: How many calls may be in flight at once. A freed place is filled
            again, so a slow call holds back no other.

    Raises:
        TerminalError: A call failed, or `land` did; every call still in flight has
            been cancelled and has ended. Or the run itself was cancelled.
    """
    flight: dict[Future, tuple[int, Call]] = {}
    waiting = enumerate(calls)
    while True:
        for place, call in islice(waiting, window - len(flight)):
            flight[call.start(ctx)] = place, call
        if not flight:
            return
        # The SDK hands over completions in the order of the journal, one at a time, so
        # what is in flight here, and is cancelled, is the same in every replay.
        landed, _ = await restate.wait_completed(*flight)
        for future in cast("list[Future]", landed):
            place, call = flight.pop(future)
            try:
                await land(place, await call.answer(future))
            except TerminalError:
                await _cancel(flight)
                raise


async def _cancel(flight: Iterable[Future]) -> None:
    for future in flight:
        await future.cancel_invocation()
    await restate.gather(*flight)
