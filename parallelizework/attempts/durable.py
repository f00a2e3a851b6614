"""`Retries`: the attempts at one of the user's functions, each a durable step.

The number of attempts is exact through crashes, as each attempt is in the journal. An
outage of the worker is no attempt. A pause between two attempts is durable, and holds
no slot of the server's invoker.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from restate import Context, RestateDurableFuture, RunOptions
from restate.exceptions import RetryableError
from restate.serde import BytesSerde

from parallelizework.attempts.attempt import (
    AttemptSerde,
    about,
    failed_attempt,
    name_of,
)
from parallelizework.attempts.schedule import FailedAttempt, Schedule
from parallelizework.definition.function import Function
from parallelizework.messages import HandlerName
from parallelizework.outcomes import CompletionReason, Fault
from parallelizework.policy import Policy
from parallelizework.restate_sdk import suspend_at_next_wait
from parallelizework.terminal_errors import error_of

T = TypeVar("T")
Settle = Callable[[RestateDurableFuture[Any]], Awaitable[Any]]

_ATTEMPT = AttemptSerde()
_SHORT = 1.0  # seconds; a shorter pause costs less than to be sent the journal again


class Interrupted(Exception):
    """The run has ended for a reason of its own while something was waited for."""

    def __init__(self, reason: CompletionReason) -> None:
        super().__init__(reason)
        self.reason = reason


async def settled(future: RestateDurableFuture[T]) -> T:
    """The result of a future: the plain way to settle one."""
    return await future


@dataclass(frozen=True)
class Retries:
    """How the functions of one service are retried in one invocation.

    Attributes:
        service: The service whose handler `awaitResume` pauses.
        settle: Waits for a future, and raises `Interrupted` if the run ends before.
    """

    ctx: Context
    service: str
    policy: Policy
    settle: Settle = settled

    async def value(
        self, function: Function, execute: Callable[[int], Awaitable[bytes]]
    ) -> bytes:
        """The value of the first attempt that has one, as JSON.

        Args:
            execute: Makes the attempt of that number at the function.

        Raises:
            TerminalError: The last attempt's error.
            Interrupted: By `settle`.
        """
        outcome = await self._attempt(function, execute, 1)
        if not isinstance(outcome, FailedAttempt):
            return outcome
        schedule = Schedule(self.policy, self.ctx.random().random)
        while isinstance(outcome, FailedAttempt):
            pause = schedule.pause_after(outcome)
            if pause is not None:
                await self._sleep(pause)
            elif outcome.again and self.policy.on_exhausted == "pause":
                await self._resumed(schedule.fault(outcome))
                schedule.renew()
            else:
                raise error_of(schedule.fault(outcome))
            outcome = await self._attempt(function, execute, schedule.number)
        return outcome

    async def _attempt(
        self,
        function: Function,
        execute: Callable[[int], Awaitable[bytes]],
        number: int,
    ) -> bytes | FailedAttempt:
        """One attempt, as a durable step."""

        async def step() -> bytes | FailedAttempt:
            try:
                return await execute(number)
            except Exception as error:
                tried = about(self.service, function, name_of(self.ctx))
                return failed_attempt(f"{tried} attempt={number}", error)

        options = RunOptions[bytes | FailedAttempt](serde=_ATTEMPT)
        return await self.settle(self.ctx.run_typed(function.role, step, options))

    async def _sleep(self, seconds: float) -> None:
        timer = self.ctx.sleep(timedelta(seconds=seconds))
        if seconds > _SHORT:
            suspend_at_next_wait(self.ctx)
        await self.settle(timer)

    async def _resumed(self, fault: Fault) -> None:
        """Wait for somebody who repairs what is wrong and resumes."""
        body = fault.model_dump_json().encode()
        paused = self.ctx.generic_call(self.service, HandlerName.AWAIT_RESUME, body)
        suspend_at_next_wait(self.ctx)
        try:
            await self.settle(paused)
        except Interrupted:
            await paused.cancel_invocation()
            raise


async def await_resume(ctx: Context, body: bytes) -> bytes:
    """Pause until somebody resumes this invocation.

    Restate pauses it after one attempt. So the first attempt fails, with the error that
    is to be repaired. The next one finds the step in the journal, and succeeds.
    """
    is_first = False

    async def pause() -> bytes:
        nonlocal is_first
        is_first = True
        return b""

    fault = Fault.model_validate_json(body)
    await ctx.run_typed("pause", pause, RunOptions(serde=BytesSerde()))
    if is_first:
        raise RetryableError(fault.message, fault.code)
    return b""
