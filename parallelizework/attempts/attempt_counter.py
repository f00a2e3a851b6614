"""`AttemptCounter`: the attempts of handler code that this process has seen fail."""

from collections import OrderedDict
from datetime import timedelta
from random import random

from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework.attempts.schedule import Miss, longest_pause
from parallelizework.policy import Policy
from parallelizework.terminal_errors import error_of

_MOST = 100_000  # invocations; one takes some 200 bytes


class AttemptCounter:
    """Counts the attempts of handler code that failed.

    Each process counts for itself, and begins anew when it is started: so there may be
    more attempts than the policy says, and never fewer.
    """

    def __init__(self) -> None:
        self._counts = OrderedDict[str, int]()

    def error(
        self, ctx: Context, policy: Policy, miss: Miss
    ) -> TerminalError | RetryableError:
        """The error for the invocation to end its attempt with, after one more miss."""
        fault, run = miss.fault, ctx.request().id
        if policy.on_exhausted == "pause" and miss.again:  # then Restate counts
            return RetryableError(fault.message, fault.code)
        count = self._counts.pop(run, 0) + 1
        if not miss.again or count >= policy.max_attempts:
            return error_of(fault.model_copy(update={"attempts": count}))
        self._counts[run] = count
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
        pause = longest_pause(policy, count) * (1 - random() / 2)
        seconds = pause if miss.after is None else miss.after
        return RetryableError(fault.message, fault.code, timedelta(seconds=seconds))

    def forget(self, ctx: Context) -> None:
        """The invocation has succeeded."""
        if self._counts:
            self._counts.pop(ctx.request().id, None)
