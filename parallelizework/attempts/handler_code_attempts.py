"""`HandlerCodeAttempts`: counts the failed attempts of handler code in this process."""

from collections import OrderedDict
from datetime import timedelta
from random import random

from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework.attempts.retry_schedule import FailedAttempt, shortened_pause
from parallelizework.policy import Policy
from parallelizework.terminal_errors import error_of

_MAX_INVOCATIONS = 100_000  # the count of one needs about 200 bytes


class HandlerCodeAttempts:
    """Counts the failed attempts of handler code, by invocation.

    Each process counts separately, and a new process starts at 0. So an invocation may
    have more attempts than the policy allows, but never fewer.
    """

    def __init__(self) -> None:
        self._counts = OrderedDict[str, int]()

    def number(self, ctx: Context) -> int:
        """Return the number of the attempt that an invocation makes now."""
        return self._counts.get(ctx.request().id, 0) + 1

    def count_failure(
        self, ctx: Context, policy: Policy, failed: FailedAttempt
    ) -> TerminalError | RetryableError:
        """Count a failed attempt, and return the error that the handler must raise.

        Returns:
            A `RetryableError` with the pause; after the last attempt a `TerminalError`.
        """
        fault, invocation = failed.fault, ctx.request().id
        count = self._counts.pop(invocation, 0) + 1
        pauses = policy.on_exhausted == "pause"
        if not failed.again or (count >= policy.max_attempts and not pauses):
            return error_of(fault.model_copy(update={"attempts": count}))
        self._counts[invocation] = count
        if len(self._counts) > _MAX_INVOCATIONS:
            self._counts.popitem(last=False)
        if pauses:  # by Restate, which counts by the retry policy of the handler
            return RetryableError(fault.message, fault.code)
        pause = shortened_pause(policy, count, random())
        seconds = pause if failed.after is None else failed.after
        return RetryableError(fault.message, fault.code, timedelta(seconds=seconds))

    def forget(self, ctx: Context) -> None:
        """Remove the count of an invocation that succeeded."""
        if self._counts:
            self._counts.pop(ctx.request().id, None)
