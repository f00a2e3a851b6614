"""`Window`: the calls that a coordinator has in flight, and the events it waits for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.coordination.calls import CANCEL_GRACE, Call, Calls, Future, Known
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.planning.slots import Slots
from parallelizework.coordination.reports import (
    report_json,
    report_name,
    slots_json,
    slots_name,
)
from parallelizework.messages import Report
from parallelizework.policy import WINDOW
from parallelizework.restate_sdk import is_resumed, suspended_after
from parallelizework.terminal_errors import cancelled, error_of

Event = RestateDurableFuture[Any]

# Seconds that a resumed coordinator waits for an event before it is suspended again.
_RESUMED_PATIENCE = 0.1


class Events:
    """Durable futures, each with a callback for its completion.

    Replay depends on the order of the callbacks: they make calls and send signals, and
    these are commands in the journal. The SDK delivers completions one at a time, in
    the order of the journal. So the callbacks run in the same order in every replay.
    Nothing else may decide what a coordinator does next: no clock, no random number, no
    order of tasks in the event loop.

    Args:
        ctx: The context of the coordinator.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        # A coordinator that was suspended before waits for slow events.
        self._patience = _RESUMED_PATIENCE if is_resumed(ctx) else None
        self._callbacks: dict[Event, Callable[[], Awaitable[None] | None]] = {}

    def on(self, future: Event, callback: Callable[[], Awaitable[None] | None]) -> None:
        """Call a function when a future completes."""
        self._callbacks[future] = callback

    def drop(self, future: Event | None) -> None:
        """Stop waiting for a future."""
        if future is not None:
            self._callbacks.pop(future, None)

    async def wait(self, *others: Event) -> bool:
        """Wait until a registered future or one of the others completes.

        Calls the callbacks of the completed futures.

        Returns:
            Whether one of the others completed.
        """
        waiting = restate.wait_completed(*others, *self._callbacks)
        if self._patience is None:
            completed, _ = await waiting
        else:
            with suspended_after(self._ctx, self._patience):
                completed, _ = await waiting
        for future in completed:
            if callback := self._callbacks.pop(future, None):
                called = callback()
                if called is not None:
                    await called
        return any(future in others for future in completed)


@dataclass
class InFlight:
    """A call that has not ended.

    Attributes:
        call: The call.
        future: The answer to the call.
        timer: Completes at the timeout of the call; then, at the end of the grace
            period of the cancelled call.
        next_report: The next report of the called coordinator.
        has_timed_out: The timeout has passed, and the call was cancelled.
        is_waiting: The subtask waits for its answer, without a slot. The future is the
            answer to the call that waits.
    """

    call: Call
    future: Future
    timer: RestateDurableFuture[None] | None = None
    next_report: RestateDurableFuture[Report] | None = None
    has_timed_out: bool = False
    is_waiting: bool = False


class Window:
    """The calls in flight of one coordinator.

    Args:
        ctx: The context of the coordinator.
        calls: The calls of the coordinator.
        fan_in: Collects the outcomes of the calls.
        events: The events that the coordinator waits for. The window adds its own.
        has_caller: Whether another coordinator called this one. A caller may lease more
            slots, and this coordinator returns slots to it.

    Attributes:
        unstarted: The calls that are not started yet.
        in_flight: The calls that have not ended, by position.
        returned: How many slots this coordinator has returned so far.
    """

    def __init__(
        self,
        ctx: Context,
        calls: Calls,
        fan_in: FanIn,
        events: Events,
        *,
        has_caller: bool,
    ) -> None:
        self._ctx = ctx
        self._calls = calls
        self._fan_in = fan_in
        self._events = events
        self.unstarted = calls.calls
        self._is_exhausted = False
        self._slots = Slots[int](calls.slots, calls.cost)
        self.in_flight: dict[int, InFlight] = {}
        self._has_caller = has_caller
        self._next_slots: Event | None = None
        self.returned = 0
        if has_caller:
            self._expect_slots(0)

    async def fill(self) -> bool:
        """Start calls, while slots are free and the run has not ended.

        Then lease the other free slots to calls in flight. When no call is left to
        start, return slots that this coordinator no longer needs.

        Returns:
            Whether a call is in flight.
        """
        await self._grow(beyond_share=False)
        while (
            not self._is_exhausted
            and self._slots.free >= self._calls.cost
            and self._slots.busy < WINDOW
            and not self._fan_in.reason
        ):
            call = next(self.unstarted, None)
            if call is None:
                self._is_exhausted = True
            elif isinstance(call, Known):
                await self._fan_in.add(call.position, call.without_answer())
            else:
                self._start(call)
        await self._grow(beyond_share=True)
        if self._is_exhausted and self.in_flight and self._has_caller:
            self.returned = self._slots.returnable
        return bool(self.in_flight)

    def close(self) -> None:
        """Stop waiting for calls, reports and slots: the coordinator has ended."""
        for each in self.in_flight.values():
            self._drop(each)
        self._events.drop(self._next_slots)

    def _start(self, call: Call) -> None:
        slots = self._slots.lease(call.position, call.share, call.most)
        started = InFlight(call, call.start(self._ctx, slots, self._fan_in))
        self.in_flight[call.position] = started
        self._events.on(started.future, lambda: self._end_call(started))
        if call.timeout:
            started.timer = self._ctx.sleep(call.timeout)
            self._events.on(started.timer, lambda: self._expire(started))
        if call.is_coordinator:
            self._expect_report(started, 0)

    async def _grow(self, *, beyond_share: bool) -> None:
        """Lease free slots to calls in flight that can use more than they have."""
        if self._fan_in.reason:
            return
        for position, number, slots in self._slots.grow(beyond_share=beyond_share):
            to = await self.in_flight[position].future.invocation_id()
            self._ctx.resolve_signal(to, slots_name(number), slots, serde=slots_json)

    def _expect_slots(self, number: int) -> None:
        """Wait for slots that the caller leases to this coordinator later."""
        added = self._ctx.signal(slots_name(number), serde=slots_json)
        self._next_slots = added

        async def add() -> None:
            self._slots.add(await added)
            self._expect_slots(number + 1)

        self._events.on(added, add)

    def _expect_report(self, called: InFlight, number: int) -> None:
        """Wait for the next report of a called coordinator."""
        position = called.call.position
        name = report_name(called.call.report_name, number)
        report = called.next_report = self._ctx.signal(name, serde=report_json)

        async def count() -> None:
            reported = await report
            self._fan_in.count_reported(position, reported.counts, reported.waiting)
            self._slots.take_back(position, reported.returned)
            self._expect_report(called, number + 1)

        self._events.on(report, count)

    async def _end_call(self, ended: InFlight) -> None:
        size = 0
        try:
            answer = await ended.future
            waiting = not ended.has_timed_out and ended.call.wait(self._ctx, answer)
            if waiting:
                self._wait(ended, waiting)
                return
            outcomes, size = ended.call.outcomes(answer), len(answer)
        except TerminalError as error:
            outcomes = ended.call.failed(error, has_timed_out=ended.has_timed_out)
        if outcomes.cancelled and not ended.has_timed_out:  # somebody else cancelled it
            outcomes = ended.call.failed(cancelled(), has_timed_out=False)
        self._forget(ended)
        await self._fan_in.add(ended.call.position, outcomes, size)
        if outcomes.error:
            ended.call.failed(error_of(outcomes.error), has_timed_out=False)

    def _wait(self, called: InFlight, waiting: Future) -> None:
        """Wait for the answer of a subtask. Its timeout continues, its slot is free."""
        self._slots.end(called.call.position)
        called.future, called.is_waiting = waiting, True
        self._fan_in.waiting += 1
        self._events.on(waiting, lambda: self._end_call(called))

    async def _expire(self, late: InFlight) -> None:
        """At the timeout, cancel the call. After a grace period, stop waiting."""
        if late.has_timed_out:
            outcomes = late.call.failed(cancelled(), has_timed_out=True)
            self._forget(late)
            await self._fan_in.add(late.call.position, outcomes)
            return
        late.has_timed_out = True
        await late.future.cancel_invocation()
        late.timer = self._ctx.sleep(CANCEL_GRACE)
        self._events.on(late.timer, lambda: self._expire(late))

    def _forget(self, ended: InFlight) -> None:
        del self.in_flight[ended.call.position]
        if ended.is_waiting:
            self._fan_in.waiting -= 1
        else:
            self._slots.end(ended.call.position)
        self._drop(ended)

    def _drop(self, call: InFlight) -> None:
        for future in (call.future, call.timer, call.next_report):
            self._events.drop(future)
