"""`Retries`: makes attempts at one of the user's functions; each is a durable step.

The journal has each attempt, so the number of attempts is exact also after crashes. An
outage of the worker is not an attempt. A pause between two attempts is durable. During
a long pause, the invocation does not hold an invoker slot of the server.
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
from parallelizework.restate_sdk import (
    hears_cancellation,
    suspend_at_next_wait,
    until_cancelled,
)
from parallelizework.terminal_errors import error_of

T = TypeVar("T")
Settle = Callable[[RestateDurableFuture[Any]], Awaitable[Any]]

_Step = Callable[[], Awaitable[bytes | FailedAttempt]]

_OPTIONS = RunOptions[bytes | FailedAttempt](serde=AttemptSerde())
# Seconds. A suspended invocation receives its journal again to continue: during a
# shorter pause, waiting costs less.
_SHORT_PAUSE = 1.0


class Interrupted(Exception):
    """The run ended, such as by its deadline, while `run` waited for a future."""

    def __init__(self, reason: CompletionReason) -> None:
        super().__init__(reason)
        self.reason = reason


async def settled(future: RestateDurableFuture[T]) -> T:
    """Return the result of a future, however long it takes."""
    return await future


@dataclass(frozen=True)
class Retries:
    """The attempts at the user's functions in one invocation.

    Attributes:
        ctx: The context of the invocation.
        service: The name of the service. Its handler `awaitResume` is called to pause.
        policy: How many attempts there are, with which pauses.
        settle: Waits for a future. Raises `Interrupted` if the run ends before.
    """

    ctx: Context
    service: str
    policy: Policy
    settle: Settle = settled

    async def value(
        self, function: Function, execute: Callable[[int], Awaitable[bytes]]
    ) -> bytes:
        """Return the value of the first attempt that succeeds, as JSON.

        Args:
            function: The user's function, for its name.
            execute: Makes one attempt. It accepts the number of the attempt, and
                returns the value as JSON.

        Raises:
            TerminalError: The last attempt failed; this is its error.
            Interrupted: The run ended before.
        """
        outcome = await self._attempt(function, execute, 1)
        return await self._after(outcome, function, execute)

    async def answer(
        self, function: Function, execute: Callable[[int], Awaitable[bytes]]
    ) -> bytes:
        """Like `value`, if the value is the answer of the invocation.

        An answer is durable anyway. So the first attempt is not executed in a step. The
        journal has it only if it has failed and another one follows.
        """
        if not hears_cancellation(self.ctx):
            return await self.value(function, execute)
        outcome = await until_cancelled(self.ctx, self._tried(function, execute, 1))
        if isinstance(outcome, FailedAttempt) and outcome.again:
            failed = outcome

            async def recorded() -> bytes | FailedAttempt:
                return failed

            outcome = await self._step(function, recorded)
        return await self._after(outcome, function, execute)

    async def _after(
        self,
        outcome: bytes | FailedAttempt,
        function: Function,
        execute: Callable[[int], Awaitable[bytes]],
    ) -> bytes:
        """Return the value of the first attempt, or make the other attempts."""
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
        """Make one attempt, as a durable step."""
        return await self._step(function, self._tried(function, execute, number))

    def _tried(
        self,
        function: Function,
        execute: Callable[[int], Awaitable[bytes]],
        number: int,
    ) -> _Step:
        """Return a function that makes one attempt.

        It returns an error as a value. So the SDK does not retry the step, and the
        journal has each failed attempt.
        """

        async def step() -> bytes | FailedAttempt:
            try:
                return await execute(number)
            except Exception as error:
                logged = about(self.service, function, name_of(self.ctx))
                return failed_attempt(f"{logged} attempt={number}", error)

        return step

    async def _step(self, function: Function, step: _Step) -> bytes | FailedAttempt:
        return await self.settle(self.ctx.run_typed(function.role, step, _OPTIONS))

    async def _sleep(self, seconds: float) -> None:
        timer = self.ctx.sleep(timedelta(seconds=seconds))
        if seconds > _SHORT_PAUSE:
            suspend_at_next_wait(self.ctx)
        await self.settle(timer)

    async def _resumed(self, fault: Fault) -> None:
        """Wait until somebody has repaired the cause and resumed the run."""
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

    The retry policy of this handler allows one attempt: after it, Restate pauses the
    invocation. The first attempt executes the step and fails, with the error that is to
    be repaired. After the resume, the next attempt replays: the step is in the journal
    and is not executed again. So this attempt succeeds, and the caller continues.
    """
    is_first_attempt = False

    async def pause() -> bytes:
        nonlocal is_first_attempt
        is_first_attempt = True
        return b""

    fault = Fault.model_validate_json(body)
    await ctx.run_typed("pause", pause, RunOptions(serde=BytesSerde()))
    if is_first_attempt:
        raise RetryableError(fault.message, fault.code)
    return b""
