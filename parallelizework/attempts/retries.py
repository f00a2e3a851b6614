"""`Retries`: makes durable attempts at one of the user's functions.

The journal has each attempt, so the number of attempts is exact also after crashes. An
outage of the worker is not an attempt. A pause between two attempts is durable. During
a long pause, the invocation does not hold an invoker slot of the server.

Each attempt is a durable step. The exception is the first attempt at a function whose
value is the answer of the invocation (`Retries.answer`).
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from restate import Context, RestateDurableFuture, RunOptions
from restate.exceptions import RetryableError

from parallelizework.attempts.attempt import (
    AttemptSerde,
    attempted,
    observed_attempt,
)
from parallelizework.attempts.recorded_answer import (
    needs_no_step,
    recorded_answer,
    without_step,
)
from parallelizework.attempts.retry_schedule import FailedAttempt, RetrySchedule
from parallelizework.definition.function import Function
from parallelizework.messages import HandlerName
from parallelizework.observation.observed import ObservedAttempt
from parallelizework.outcomes import CompletionReason, Fault
from parallelizework.policy import Policy
from parallelizework.restate_sdk import is_resumed, suspend_at_next_wait
from parallelizework.terminal_errors import error_of

T = TypeVar("T")
Settle = Callable[[RestateDurableFuture[Any]], Awaitable[Any]]

Execute = Callable[[int], Awaitable[bytes]]
Outcome = bytes | FailedAttempt
_Step = Callable[[], Coroutine[Any, Any, Outcome]]

_OPTIONS = RunOptions[Outcome](serde=AttemptSerde())
# Seconds. A suspended invocation receives its journal again to continue: during a
# shorter pause, waiting costs less.
_SHORT_PAUSE = 1.0


class RunEnded(Exception):
    """The run ended, such as by its deadline, while it waited for a future."""

    def __init__(self, reason: CompletionReason) -> None:
        super().__init__(reason)
        self.reason = reason


def fresh(value: T, read: Callable[[], T]) -> Generator[T]:
    """Yield a value for each attempt: a function may change the one that it receives.

    Args:
        value: The value for the first attempt.
        read: Returns the value again, as it was.
    """
    yield value
    while True:
        yield read()


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
        settle: Waits for a future. Raises `RunEnded` if the run ends before.
    """

    ctx: Context
    service: str
    policy: Policy
    settle: Settle = settled

    async def value(
        self, function: Function, execute: Execute, name: str | None = None
    ) -> bytes:
        """Return the value of the first attempt that succeeds, as JSON.

        Args:
            function: The user's function.
            execute: Makes one attempt. It accepts the number of the attempt, and
                returns the value as JSON.
            name: The name of the steps in the journal; by default, the function's role.

        Raises:
            TerminalError: The last attempt failed; this is its error.
            RunEnded: The run ended before.
        """
        attempts = _Attempts(self, function, execute, name or function.role)
        return await attempts.value(await attempts.make(1))

    async def answer(self, function: Function, execute: Execute) -> bytes:
        """Like `value`, if the value is the answer of the invocation.

        An answer is durable anyway. So the first attempt is not executed in a step. The
        journal has it only if it has failed and another one follows.
        """
        if (recorded := recorded_answer()) is not None:
            return recorded
        if not needs_no_step(self.ctx):
            return await self.value(function, execute)
        attempts = _Attempts(self, function, execute, function.role)
        outcome = await without_step(self.ctx, attempts.attempt(1))
        return await attempts.value(outcome, is_recorded=False)

    async def sleep(self, seconds: float) -> None:
        """Wait durably."""
        timer = self.ctx.sleep(timedelta(seconds=seconds))
        if seconds > _SHORT_PAUSE:
            suspend_at_next_wait(self.ctx)
        await self.settle(timer)

    async def resumed(self, fault: Fault) -> None:
        """Wait until somebody has repaired the cause and resumed the run."""
        body = fault.model_dump_json().encode()
        paused = self.ctx.generic_call(self.service, HandlerName.AWAIT_RESUME, body)
        suspend_at_next_wait(self.ctx)
        try:
            await self.settle(paused)
        except RunEnded:
            await paused.cancel_invocation()
            raise


@dataclass(frozen=True)
class _Attempts:
    """The attempts at one function."""

    retries: Retries
    function: Function
    execute: Execute
    name: str

    async def value(self, outcome: Outcome, *, is_recorded: bool = True) -> bytes:
        """Return the value of the first attempt, or make further attempts.

        Args:
            outcome: The outcome of the first attempt.
            is_recorded: Whether the journal has it.
        """
        if not isinstance(outcome, FailedAttempt):
            return outcome
        policy = self.retries.policy
        schedule = RetrySchedule(policy, self.retries.ctx.random().random)
        while isinstance(outcome, FailedAttempt):
            pause = schedule.pause_after(outcome)
            is_last = not outcome.again or policy.on_exhausted != "pause"
            if pause is None and is_last:
                raise error_of(schedule.fault(outcome))
            if not is_recorded:
                await self._record(outcome)
                is_recorded = True
            if pause is not None:
                await self.retries.sleep(pause)
            else:
                await self.retries.resumed(schedule.fault(outcome))
                schedule.renew()
            outcome = await self.make(schedule.number)
        return outcome

    async def make(self, number: int) -> Outcome:
        """Make one attempt, as a durable step."""
        return await self._step(self.attempt(number))

    async def _record(self, failed: FailedAttempt) -> None:
        """Store an attempt that has failed, as a durable step."""

        async def failed_before() -> Outcome:
            return failed

        await self._step(failed_before)

    def attempt(self, number: int) -> _Step:
        """Return a function that makes one attempt.

        It returns an error as a value. So the SDK does not retry the step, and the
        journal has each failed attempt.
        """

        async def step() -> Outcome:
            return await attempted(
                lambda: self._described(number), lambda: self.execute(number)
            )

        return step

    def _described(self, number: int) -> ObservedAttempt:
        retries = self.retries
        return observed_attempt(retries.ctx, retries.service, self.function, number)

    async def _step(self, step: _Step) -> Outcome:
        future = self.retries.ctx.run_typed(self.name, step, _OPTIONS)
        return await self.retries.settle(future)


async def await_resume(ctx: Context, body: bytes) -> bytes:
    """Pause until somebody resumes this invocation.

    The retry policy of this handler allows one attempt: after it, Restate pauses the
    invocation. The first attempt leaves a timer in the journal and fails, with the
    error that is to be repaired. After the resume, the next attempt finds the timer.
    So this attempt succeeds, and the caller continues.
    """
    is_first_attempt = not is_resumed(ctx)
    mark = ctx.sleep(timedelta(0))
    if is_first_attempt:
        fault = Fault.model_validate_json(body)
        raise RetryableError(fault.message, fault.code)
    await mark  # raises an error if somebody has cancelled the invocation
    return b""
