"""`CancelledCalls`: cancels the calls that are in flight when a run ends early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import restate
from restate import Context, TerminalError

from parallelizework.coordination.calls import CANCEL_GRACE, Call, Known
from parallelizework.coordination.fan_in import FanIn
from parallelizework.messages import Outcomes
from parallelizework.terminal_errors import error_of, is_cancelled

if TYPE_CHECKING:
    from parallelizework.coordination.window import InFlight

# How long cancelled coordinators may take to end. They cancel their own calls first.
_COORDINATORS_GRACE = timedelta(seconds=5)
_NONE, _NONE_CANCELLED = Outcomes(), Outcomes(cancelled=True)


class CancelledCalls:
    """Cancels the calls in flight, and collects the outcomes of those that have ended.

    Args:
        ctx: The context of the coordinator.
        in_flight: The calls that have not ended, by position.
        fan_in: Collects the outcomes.
        is_redrivable: Whether a redrive may need the outcomes.
    """

    def __init__(
        self,
        ctx: Context,
        in_flight: Mapping[int, InFlight],
        fan_in: FanIn,
        *,
        is_redrivable: bool,
    ) -> None:
        self._ctx = ctx
        self._in_flight = in_flight
        self._fan_in = fan_in
        self._is_redrivable = is_redrivable
        self._ended_positions = set[int]()  # the cancelled calls that have ended

    async def cancel(self) -> None:
        """Cancel all calls in flight, and wait for their end for a limited time.

        If somebody cancelled this invocation, Restate has cancelled its calls too.
        """
        if not self._fan_in.is_cancelled:
            try:
                for each in self._in_flight.values():
                    await each.future.cancel_invocation()
            except TerminalError:
                self._fan_in.cancel()
        if self._in_flight:
            await self._wait()

    async def _wait(self) -> None:
        """Wait until all calls have ended; for subtasks, a limited time.

        The worker of a subtask may be unavailable, or not answer. Such a call ends
        later, and its outcome is not used. But a coordinator may have reported the
        outcomes that ended the run, or may have values that a redrive needs: then its
        answer is needed, even if it arrives after an outage.
        """
        is_inner = any(each.call.is_coordinator for each in self._in_flight.values())
        timer = self._ctx.sleep(_COORDINATORS_GRACE if is_inner else CANCEL_GRACE)
        pending: dict[Any, int] = {
            each.future: position for position, each in self._in_flight.items()
        }
        awaited: tuple[Any, ...] = (timer,)
        while pending:
            try:
                ended, _ = await restate.wait_completed(*pending, *awaited)
            except TerminalError:
                self._fan_in.cancel()
                continue
            self._ended_positions |= {
                pending.pop(each) for each in ended if each is not timer
            }
            if timer in ended:
                pending = self._needed(pending)
                awaited = ()

    def _needed(self, pending: Mapping[Any, int]) -> dict[Any, int]:
        """The calls whose answers are needed after the grace period."""
        if self._fan_in.reason is None and not self._is_redrivable:
            return {}  # the deadline has passed, or a call has failed
        return {
            future: position
            for future, position in pending.items()
            if self._in_flight[position].call.is_coordinator
        }

    async def collect(
        self, unstarted: Iterable[Call | Known] | None
    ) -> TerminalError | None:
        """Add the outcomes of the cancelled calls to the fan-in.

        Args:
            unstarted: The calls that were not started. Then all items without an
                outcome are added too. None if nobody needs them.

        Returns:
            The first error that is not an outcome, if any.
        """
        errors: list[TerminalError] = []
        for position, each in self._in_flight.items():
            outcomes, size = _NONE, 0
            try:
                outcomes, size = await self._outcomes(position, each)
            except TerminalError as error:
                errors.append(error)
            if unstarted is not None and outcomes in (_NONE, _NONE_CANCELLED):
                outcomes = each.call.without_answer()
            errors += await self._add(position, outcomes, size)
            if outcomes.error:
                errors.append(error_of(outcomes.error))
        for call in unstarted or ():
            errors += await self._add(call.position, call.without_answer())
        return errors[0] if errors else None

    async def _add(
        self, position: int, outcomes: Outcomes, size: int = 0
    ) -> list[TerminalError]:
        """Add outcomes; return the error if values cannot be combined."""
        try:
            await self._fan_in.add(position, outcomes, size)
        except TerminalError as error:
            return [error]
        return []

    async def _outcomes(self, position: int, each: InFlight) -> tuple[Outcomes, int]:
        """The outcomes of a cancelled call, and their size; none before its end.

        Raises:
            TerminalError: The call ended with an error that is not an outcome.
        """
        if position not in self._ended_positions:
            return _NONE, 0
        try:
            answer = await each.future
            return each.call.outcomes(answer), len(answer)
        except TerminalError as error:
            if is_cancelled(error):
                return _NONE, 0
            return each.call.failed(error, has_timed_out=False), 0
