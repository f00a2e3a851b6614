"""A coordinator: dispatch calls, collect their outcomes, cancel the losers."""

from typing import TypeVar, cast

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.attempts.durable import Interrupted
from parallelizework.completion import CompletionReason
from parallelizework.coordination.dispatch import Calls
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.reports import Reporter
from parallelizework.coordination.window import Alarms, Flight, Timer
from parallelizework.outcomes import is_cancelled

T = TypeVar("T")


async def fan_out(  # noqa: PLR0913 - what a run is made of
    ctx: Context,
    calls: Calls,
    fan_in: FanIn,
    reporter: Reporter,
    alarms: Alarms | None = None,
    *,
    answers_deadline: bool = False,
) -> CompletionReason:
    """Make the calls and land their outcomes, until there are no more, or enough.

    A freed place is filled again, so a slow call holds back no other.

    Args:
        reporter: Is told how far this has come.
        alarms: What to do when they go off; with a reason, the run ends.
        answers_deadline: A run that is late answers, and says what has not ended.

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
    ended = fan_in.reason or reason or CompletionReason.CANCELLED
    # An inner coordinator is only told that it is cancelled.
    is_late = ended in (CompletionReason.DEADLINE_EXCEEDED, CompletionReason.CANCELLED)
    await flight.collect(unfinished=answers_deadline and is_late)
    return fan_in.reason or ended


async def within(alarms: Alarms, future: RestateDurableFuture[T]) -> T:
    """The result of a future.

    Raises:
        Interrupted: An alarm that ends the run went off before.
    """
    while True:
        happened, _ = await restate.wait_completed(future, *alarms)
        if future in happened:
            return await future
        for alarm in happened:
            if reason := alarms.pop(cast(Timer, alarm))():
                raise Interrupted(reason)
