"""`Flight`: the window of a coordinator."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.completion import CompletionReason
from parallelizework.coordination.calls import Call, Future, Known
from parallelizework.coordination.dispatch import Calls
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.partition import WINDOW
from parallelizework.coordination.reports import (
    Report,
    count_serde,
    raise_name,
    report_serde,
    signal,
)
from parallelizework.coordination.slots import Places
from parallelizework.outcomes import Part, cancelled, is_cancelled

Timer = RestateDurableFuture[None]
Signal = RestateDurableFuture[Report]
Raise = RestateDurableFuture[int]
# How long cancelled calls may take to end: those of subtasks, and those of coordinators
# (which wait for their own calls).
_END, _END_INNER = timedelta(seconds=1), timedelta(seconds=5)

Alarms = dict[Timer, Callable[[], CompletionReason | None]]


class Flight:
    """The calls in flight, and whatever else there is to wait for.

    Args:
        may_grow: Another coordinator has made this one, and may give it more places.
    """

    def __init__(
        self,
        ctx: Context,
        calls: Calls,
        fan_in: FanIn,
        alarms: Alarms,
        *,
        may_grow: bool,
    ) -> None:
        self._ctx = ctx
        self._fan_in = fan_in
        self._alarms = alarms
        self._next = enumerate(calls.calls)
        self._is_exhausted = False
        self._share = calls.share
        self._most = calls.most
        self._places = Places[Future](calls.places)
        self._calls: dict[Future, tuple[int, Call]] = {}
        self._timers: dict[Timer, Future] = {}
        self._signals: dict[Signal, tuple[Future, int]] = {}
        self._raises: dict[Raise, int] = {}
        self._late: set[Future] = set()
        self._ended: set[Any] = set()
        if may_grow:
            self._expect(0)

    @property
    def spare(self) -> int:
        """How many places this will need no more; its end tells that of all."""
        return self._places.spare if self._is_exhausted and self._calls else 0

    async def fill(self) -> None:
        """Start calls, as long as there is place for them and need of them."""
        await self._raise(self._share)
        while (
            self._places.free and len(self._calls) < WINDOW and not self._fan_in.reason
        ):
            position, call = next(self._next, (0, None))
            if call is None:
                self._is_exhausted = True
                break
            if isinstance(call, Known):
                await self._fan_in.land(position, _known(call))
            else:
                self._start(position, call)
        await self._raise(self._most)

    def _start(self, position: int, call: Call) -> None:
        places = min(self._places.free, self._share)
        future = call.start(self._ctx, places)
        self._places.lease(future, places)
        self._calls[future] = position, call
        if call.timeout:
            self._timers[self._ctx.sleep(call.timeout)] = future
        if call.reports:
            self._listen(future, 0)

    async def _raise(self, most: int) -> None:
        if self._fan_in.reason:
            return
        for future, number, places in self._places.raises(most):
            name, to = raise_name(number), await future.invocation_id()
            self._ctx.resolve_signal(to, name, places, serde=count_serde)

    def _expect(self, number: int) -> None:
        self._raises[self._ctx.signal(raise_name(number), serde=count_serde)] = number

    def _listen(self, future: Future, number: int) -> None:
        name = signal(str(self._calls[future][0]), number)
        heard = self._ctx.signal(name, serde=report_serde)
        self._signals[heard] = future, number

    async def wait(self) -> CompletionReason | None:
        """Wait for something to happen; a reason if that was the end."""
        if not self._calls:
            return CompletionReason.ALL_COMPLETED
        # The SDK hands over completions in the order of the journal, one at a time, so
        # what is in flight here, and is cancelled, is the same in every replay.
        happened, _ = await restate.wait_completed(
            *self._calls, *self._timers, *self._signals, *self._raises, *self._alarms
        )
        reason = None
        for future in happened:
            if future in self._calls:
                await self._land(cast(Future, future))
            elif future in self._timers:
                await self._expire(cast(Timer, future))
            elif future in self._signals:
                await self._hear(cast(Signal, future))
            elif future in self._raises:
                await self._grow(cast(Raise, future))
            elif alarm := self._alarms.pop(cast(Timer, future), None):
                reason = alarm()
        return reason

    async def _land(self, future: Future) -> None:
        position, call = self._calls[future]
        size = 0
        try:
            answer = await future
            part, size = call.landed(answer), len(answer)
        except TerminalError as error:
            part = call.failed(error, late=future in self._late)
        if part.cancelled and future not in self._late:  # by somebody else
            part = call.failed(cancelled(), late=False)
        self._forget(future)
        await self._fan_in.land(position, part, size)

    async def _expire(self, timer: Timer) -> None:
        """Cancel a call whose time is up; a second time, wait no more for its end."""
        future = self._timers.pop(timer)
        if future in self._late:
            await self._abandon(future)
            return
        self._late.add(future)
        await future.cancel_invocation()
        self._timers[self._ctx.sleep(_END)] = future

    async def _abandon(self, future: Future) -> None:
        position, call = self._calls[future]
        part = call.failed(cancelled(), late=True)
        self._forget(future)
        await self._fan_in.land(position, part)

    async def _hear(self, heard: Signal) -> None:
        future, number = self._signals.pop(heard)
        report = await heard
        self._fan_in.hear(self._calls[future][0], report.counts)
        self._places.returned(future, report.spare)
        self._listen(future, number + 1)

    async def _grow(self, raised: Raise) -> None:
        number = self._raises.pop(raised)
        self._places.add(await raised)
        self._expect(number + 1)

    def _forget(self, future: Future) -> None:
        del self._calls[future]
        self._places.end(future)
        self._late.discard(future)
        self._timers = {t: f for t, f in self._timers.items() if f is not future}
        self._signals = {s: v for s, v in self._signals.items() if v[0] is not future}

    async def cancel(self) -> None:
        """Cancel all calls in flight, unless they have been with this invocation."""
        if self._fan_in.is_cancelled:
            return
        try:
            for future in self._calls:
                await future.cancel_invocation()
        except TerminalError:  # this invocation is cancelled, and with it its calls
            self._fan_in.is_cancelled = True

    async def end(self) -> None:
        """Wait for the end of calls that were cancelled, but not for ever.

        One whose worker is away, or does not answer, ends when it can.
        """
        if not self._calls:
            return
        is_inner = any(call.reports for _, call in self._calls.values())
        timer = self._ctx.sleep(_END_INNER if is_inner else _END)
        pending: list[Any] = list(self._calls)
        while pending:
            try:
                ended, left = await restate.wait_completed(*pending, timer)
            except TerminalError:
                self._fan_in.is_cancelled = True
                continue
            self._ended |= {each for each in ended if each is not timer}
            pending = (
                [] if timer in ended else [each for each in left if each is not timer]
            )

    async def collect(self, *, unfinished: bool) -> None:
        """Land what calls have that were cancelled.

        Args:
            unfinished: Name the subtasks that have not ended.

        Raises:
            TerminalError: One of them ended with an error that is no outcome.
        """
        for future in list(self._calls):
            position, call = self._calls.pop(future)
            part, size = await self._collected(future, call) or (Part(), 0)
            if unfinished and part == Part():
                part = Part(unfinished=call.unfinished())
            await self._fan_in.land(position, part, size)
        for position, call in self._next if unfinished else ():
            if isinstance(call, Known):
                part = _known(call)
            else:
                part = Part(unfinished=call.unfinished())
            await self._fan_in.land(position, part)

    async def _collected(self, future: Future, call: Call) -> tuple[Part, int] | None:
        """What a call has that was cancelled; None if it has not ended, or nothing."""
        if future not in self._ended:
            return None
        try:
            answer = await future
            return call.landed(answer), len(answer)
        except TerminalError as error:
            return None if is_cancelled(error) else (call.failed(error, late=False), 0)


def _known(call: Known) -> Part:
    return Part(succeeded=1, values=[call.value])
