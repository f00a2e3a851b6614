"""`attempted`: makes attempts to notify one receiver, each as a durable step."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from restate import Context, RunOptions

from parallelizework.attempts.attempt import AttemptSerde, logged_failure
from parallelizework.attempts.retry_schedule import FailedAttempt, RetrySchedule
from parallelizework.attempts.time_left import within_time_left
from parallelizework.policy import Policy
from parallelizework.terminal_errors import error_of

_NOTHING = b"null"

_Outcome = bytes | FailedAttempt
_OPTIONS = RunOptions[_Outcome](serde=AttemptSerde())


async def attempted(
    ctx: Context, about: str, policy: Policy, notify: Callable[[], Awaitable[None]]
) -> None:
    """Make attempts until one succeeds.

    Args:
        ctx: The context of the handler.
        about: The message and its receiver, for the log.
        policy: How many attempts there are, with which pauses.
        notify: Makes one attempt.

    Raises:
        TerminalError: The last attempt failed; this is its error.
    """
    schedule = RetrySchedule(policy, ctx.random().random)
    outcome = await _step(ctx, f"{about} attempt=1", notify)
    while isinstance(outcome, FailedAttempt):
        pause = schedule.pause_after(outcome)
        if pause is None:
            raise error_of(schedule.fault(outcome))
        await ctx.sleep(timedelta(seconds=pause))
        outcome = await _step(ctx, f"{about} attempt={schedule.number}", notify)


async def _step(
    ctx: Context, about: str, notify: Callable[[], Awaitable[None]]
) -> _Outcome:
    async def step() -> _Outcome:
        try:
            await within_time_left(notify)
        except Exception as error:
            return logged_failure(about, error)
        return _NOTHING

    return await ctx.run_typed("notify", step, _OPTIONS)
