"""A coordinator: dispatch calls, collect their outcomes, cancel the losers."""

from typing import Any, cast

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.fan_in import FanIn
from parallelizework.flight import Alarms, Flight, Timer
from parallelizework.level import Calls
from parallelizework.outcome import is_cancelled
from parallelizework.report import Reporter
from parallelizework.rule import CompletionReason


async def fan_out(
    ctx: Context,
    calls: Calls,
    fan_in: FanIn,
    reporter: Reporter,
    alarms: Alarms | None = None,
) -> CompletionReason:
    """Make the calls and land their outcomes, until there are no more, or enough.

    A freed place is filled again, so a slow call holds back no other.

    Args:
        reporter: Is told how far this has come.
        alarms: What to do when they go off; with a reason, the run ends.

    Returns:
        Why it has ended; no call is in flight any more.

    Raises:
        TerminalError: A call ended with an error that is no outcome, or values could
            not be combined; no call is in flight any more.
    """
    flight = Flight(ctx, calls, fan_in, alarms or {}, may_grow=reporter.is_inner)
    reason = None
    try:
        while not reason:
            await flight.fill()
            reporter.tell(fan_in, flight.spare)
            reason = fan_in.reason or await flight.wait()
    except TerminalError as error:
        if not is_cancelled(error):
            await flight.cancel()
            await flight.end()
            raise
        fan_in.is_cancelled = True
    await flight.cancel()
    await flight.end()
    await flight.collect()
    return fan_in.reason or reason or CompletionReason.CANCELLED


async def within(
    alarms: Alarms, future: RestateDurableFuture[Any]
) -> CompletionReason | None:
    """Wait for a future; a reason, if an alarm that ends the run goes off before."""
    while True:
        happened, _ = await restate.wait_completed(future, *alarms)
        if future in happened:
            return None
        for alarm in happened:
            if reason := alarms.pop(cast(Timer, alarm))():
                return reason
