"""`Window`: the calls that a coordinator has in flight."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.coordination.calls import Call, Future, Known
from parallelizework.coordination.dispatch import Calls
from parallelizework.coordination.events import Events
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.reports import (
    grown_name,
    report_json,
    report_name,
    slots_json,
)
from parallelizework.coordination.slots import Slots
from parallelizework.messages import Outcomes, Report
from parallelizework.policy import WINDOW
from parallelizework.terminal_errors import cancelled, is_cancelled

# How long cancelled calls may take to end: those of subtasks, and those of coordinators
# (which wait for their own calls).
_END, _END_INNER = timedelta(seconds=1), timedelta(seconds=5)


@dataclass
class _InFlight:
    """A call that has not ended."""

    call: Call
    future: Future
    timer: RestateDurableFuture[None] | None = None
    report: RestateDurableFuture[Report] | None = None
    is_late: bool = False
    has_ended: bool = False


class Window:
    """The calls in flight.

    Args:
        events: What the coordinator waits for, which the calls are added to.
        grows: Another coordinator made this one, and may lease more slots to it.
    """

    def __init__(
        self, ctx: Context, calls: Calls, fan_in: FanIn, events: Events, *, grows: bool
    ) -> None:
        self._ctx = ctx
        self._calls = calls
        self._fan_in = fan_in
        self._events = events
        self._next = enumerate(calls.calls)
        self._is_exhausted = False
        self._slots = Slots[int](calls.slots, calls.cost)
        self._in_flight: dict[int, _InFlight] = {}  # by position
        if grows:
            self._expect_slots(0)

    @property
    def is_empty(self) -> bool:
        """Whether no call is in flight."""
        return not self._in_flight

    @property
    def returned(self) -> int:
        """How many slots this coordinator no longer needs; at its end it has none."""
        is_needed = not self._is_exhausted or not self._in_flight
        return 0 if is_needed else self._slots.returnable

    async def fill(self) -> None:
        """Start calls, as long as slots are free and the run has not ended."""
        if self._is_exhausted and self._slots.free < self._calls.cost:
            return
        await self._grow(self._calls.share)
        while (
            not self._is_exhausted
            and self._slots.free >= self._calls.cost
            and len(self._in_flight) < WINDOW
            and not self._fan_in.reason
        ):
            position, call = next(self._next, (0, None))
            if call is None:
                self._is_exhausted = True
            elif isinstance(call, Known):
                await self._fan_in.add(position, call.outcomes)
            else:
                self._start(call)
        await self._grow(self._calls.most)

    def _start(self, call: Call) -> None:
        slots = self._slots.lease(call.position, self._calls.share)
        this = _InFlight(call, call.start(self._ctx, slots, self._fan_in.rest))
        self._in_flight[call.position] = this
        self._events.on(this.future, lambda: self._end_call(this))
        if call.timeout:
            this.timer = self._ctx.sleep(call.timeout)
            self._events.on(this.timer, lambda: self._expire(this))
        if call.reports:
            self._expect_report(this, 0)

    async def _grow(self, most: int) -> None:
        """Lease free slots to calls that can use them."""
        if self._calls.most == self._calls.cost or self._fan_in.reason:
            return
        for position, number, slots in self._slots.grow(most):
            to = await self._in_flight[position].future.invocation_id()
            self._ctx.resolve_signal(to, grown_name(number), slots, serde=slots_json)

    def _expect_slots(self, number: int) -> None:
        """Use the slots that the caller leases to this coordinator later."""
        grown = self._ctx.signal(grown_name(number), serde=slots_json)

        async def add() -> None:
            self._slots.add(await grown)
            self._expect_slots(number + 1)

        self._events.on(grown, add)

    def _expect_report(self, this: _InFlight, number: int) -> None:
        name = report_name(str(this.call.position), number)
        report = this.report = self._ctx.signal(name, serde=report_json)

        async def count() -> None:
            reported = await report
            self._fan_in.report(this.call.position, reported.counts)
            self._slots.take_back(this.call.position, reported.returned)
            self._expect_report(this, number + 1)

        self._events.on(report, count)

    async def _end_call(self, this: _InFlight) -> None:
        size = 0
        try:
            answer = await this.future
            outcomes, size = this.call.outcomes(answer), len(answer)
        except TerminalError as error:
            outcomes = this.call.failed(error, is_late=this.is_late)
        if outcomes.cancelled and not this.is_late:  # by somebody else
            outcomes = this.call.failed(cancelled(), is_late=False)
        self._forget(this)
        await self._fan_in.add(this.call.position, outcomes, size)

    async def _expire(self, this: _InFlight) -> None:
        """Cancel a call whose time is up; a second time, wait no more for its end."""
        if this.is_late:
            outcomes = this.call.failed(cancelled(), is_late=True)
            self._forget(this)
            await self._fan_in.add(this.call.position, outcomes)
            return
        this.is_late = True
        await this.future.cancel_invocation()
        this.timer = self._ctx.sleep(_END)
        self._events.on(this.timer, lambda: self._expire(this))

    def _forget(self, this: _InFlight) -> None:
        del self._in_flight[this.call.position]
        self._slots.end(this.call.position)
        for future in (this.future, this.timer, this.report):
            self._events.drop(future)

    async def cancel(self) -> None:
        """Cancel all calls in flight, and wait for their end, but not for ever.

        If this invocation itself was cancelled, its calls were cancelled with it.
        """
        if not self._fan_in.is_cancelled:
            try:
                for this in self._in_flight.values():
                    await this.future.cancel_invocation()
            except TerminalError:
                self._fan_in.cancel()
        if self._in_flight:
            await self._wait_for_the_end()

    async def _wait_for_the_end(self) -> None:
        """A call whose worker is away, or does not answer, ends when it can."""
        is_inner = any(this.call.reports for this in self._in_flight.values())
        timer = self._ctx.sleep(_END_INNER if is_inner else _END)
        pending: dict[Any, _InFlight] = {
            this.future: this for this in self._in_flight.values()
        }
        while pending:
            try:
                ended, _ = await restate.wait_completed(*pending, timer)
            except TerminalError:
                self._fan_in.cancel()
                continue
            for future in ended:
                if future is not timer:
                    pending.pop(future).has_ended = True
            if timer in ended:
                return

    async def collect(self, *, unfinished: bool) -> None:
        """Add what the calls have that were cancelled.

        Args:
            unfinished: Name the subtasks that have not ended.

        Raises:
            TerminalError: One of them ended with an error that is no outcome.
        """
        while self._in_flight:
            this = self._in_flight.pop(next(iter(self._in_flight)))
            outcomes, size = await self._cancelled_outcomes(this)
            if unfinished and outcomes == Outcomes():
                outcomes = Outcomes(unfinished=this.call.unfinished())
            await self._fan_in.add(this.call.position, outcomes, size)
        for position, call in self._next if unfinished else ():
            if isinstance(call, Known):
                await self._fan_in.add(position, call.outcomes)
            else:
                never = Outcomes(unfinished=call.unfinished())
                await self._fan_in.add(position, never)

    async def _cancelled_outcomes(self, this: _InFlight) -> tuple[Outcomes, int]:
        """What a cancelled call answered; nothing if it has not ended."""
        if not this.has_ended:
            return Outcomes(), 0
        try:
            answer = await this.future
            return this.call.outcomes(answer), len(answer)
        except TerminalError as error:
            if is_cancelled(error):
                return Outcomes(), 0
            return this.call.failed(error, is_late=False), 0
