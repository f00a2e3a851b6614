"""`Window`: the calls that a coordinator has in flight, and what it waits for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.coordination.calls import CANCEL_GRACE, Call, Calls, Future, Known
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.reports import (
    grown_name,
    report_json,
    report_name,
    slots_json,
)
from parallelizework.coordination.slots import Slots
from parallelizework.messages import Report
from parallelizework.policy import WINDOW
from parallelizework.terminal_errors import cancelled

Event = RestateDurableFuture[Any]


class Events:
    """Durable futures, each with what to do when it completes.

    The SDK hands over completions in the order of the journal, one at a time. So what
    is done here happens in the same order in every replay.
    """

    def __init__(self) -> None:
        self._events: dict[Event, Callable[[], Awaitable[None] | None]] = {}

    def on(self, future: Event, do: Callable[[], Awaitable[None] | None]) -> None:
        """Do something when a future completes."""
        self._events[future] = do

    def drop(self, future: Event | None) -> None:
        """No longer wait for a future."""
        if future is not None:
            self._events.pop(future, None)

    async def wait(self, *others: Event) -> bool:
        """Wait for a registered future or one of the others, and do what is registered.

        Returns:
            Whether one of the others completed.
        """
        completed, _ = await restate.wait_completed(*others, *self._events)
        for future in completed:
            if do := self._events.pop(future, None):
                done = do()
                if done is not None:
                    await done
        return any(future in others for future in completed)


@dataclass
class InFlight:
    """A call that has not ended.

    Attributes:
        timer: When this timer ends, the timeout of the call has passed.
        next_report: The next report of the called coordinator.
        has_timed_out: The timeout has passed, and the call was cancelled.
    """

    call: Call
    future: Future
    timer: RestateDurableFuture[None] | None = None
    next_report: RestateDurableFuture[Report] | None = None
    has_timed_out: bool = False


class Window:
    """The calls in flight.

    Args:
        events: What the coordinator waits for, which the calls are added to.
        grows: Another coordinator made this one, and may lease more slots to it.

    Attributes:
        unstarted: The calls that are still to be started.
        in_flight: The calls that have not ended, by position.
        returned: How many slots this coordinator no longer needs.
    """

    def __init__(
        self, ctx: Context, calls: Calls, fan_in: FanIn, events: Events, *, grows: bool
    ) -> None:
        self._ctx = ctx
        self._calls = calls
        self._fan_in = fan_in
        self._events = events
        self.unstarted = calls.calls
        self._is_exhausted = False
        self._slots = Slots[int](calls.slots, calls.cost)
        self.in_flight: dict[int, InFlight] = {}  # by position
        self._grows = grows
        self.returned = 0
        if grows:
            self._expect_slots(0)

    async def fill(self) -> bool:
        """Start calls, as long as slots are free and the run has not ended.

        Returns:
            Whether any call is in flight.
        """
        await self._grow(self._calls.share)
        while (
            not self._is_exhausted
            and self._slots.free >= self._calls.cost
            and len(self.in_flight) < WINDOW
            and not self._fan_in.reason
        ):
            call = next(self.unstarted, None)
            if call is None:
                self._is_exhausted = True
            elif isinstance(call, Known):
                await self._fan_in.add(call.position, call.outcomes_without_call)
            else:
                self._start(call)
        await self._grow(self._calls.most)
        if self._is_exhausted and self.in_flight and self._grows:
            self.returned = self._slots.returnable
        return bool(self.in_flight)

    def _start(self, call: Call) -> None:
        slots = self._slots.lease(call.position, self._calls.share)
        this = InFlight(call, call.start(self._ctx, slots, self._fan_in))
        self.in_flight[call.position] = this
        self._events.on(this.future, lambda: self._end_call(this))
        if call.timeout:
            this.timer = self._ctx.sleep(call.timeout)
            self._events.on(this.timer, lambda: self._expire(this))
        if call.is_coordinator:
            self._expect_report(this, 0)

    async def _grow(self, most: int) -> None:
        """Lease free slots to calls that can use them."""
        if self._calls.most == self._calls.cost or self._fan_in.reason:
            return
        for position, number, slots in self._slots.grow(most):
            to = await self.in_flight[position].future.invocation_id()
            self._ctx.resolve_signal(to, grown_name(number), slots, serde=slots_json)

    def _expect_slots(self, number: int) -> None:
        """Use the slots that the caller leases to this coordinator later."""
        grown = self._ctx.signal(grown_name(number), serde=slots_json)

        async def add() -> None:
            self._slots.add(await grown)
            self._expect_slots(number + 1)

        self._events.on(grown, add)

    def _expect_report(self, this: InFlight, number: int) -> None:
        name = report_name(str(this.call.position), number)
        report = this.next_report = self._ctx.signal(name, serde=report_json)

        async def count() -> None:
            reported = await report
            self._fan_in.count_reported(this.call.position, reported.counts)
            self._slots.take_back(this.call.position, reported.returned)
            self._expect_report(this, number + 1)

        self._events.on(report, count)

    async def _end_call(self, this: InFlight) -> None:
        size = 0
        try:
            answer = await this.future
            outcomes, size = this.call.outcomes(answer), len(answer)
        except TerminalError as error:
            outcomes = this.call.failed(error, has_timed_out=this.has_timed_out)
        if outcomes.cancelled and not this.has_timed_out:  # by somebody else
            outcomes = this.call.failed(cancelled(), has_timed_out=False)
        self._forget(this)
        await self._fan_in.add(this.call.position, outcomes, size)

    async def _expire(self, this: InFlight) -> None:
        """At the timeout, cancel the call. Later, stop waiting for its end."""
        if this.has_timed_out:
            outcomes = this.call.failed(cancelled(), has_timed_out=True)
            self._forget(this)
            await self._fan_in.add(this.call.position, outcomes)
            return
        this.has_timed_out = True
        await this.future.cancel_invocation()
        this.timer = self._ctx.sleep(CANCEL_GRACE)
        self._events.on(this.timer, lambda: self._expire(this))

    def _forget(self, this: InFlight) -> None:
        del self.in_flight[this.call.position]
        self._slots.end(this.call.position)
        for future in (this.future, this.timer, this.next_report):
            self._events.drop(future)
