"""`RetrySchedule`: whether to make another attempt, and after which pause. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from parallelizework.outcomes import Fault
from parallelizework.policy import Policy


class FailedAttempt(BaseModel):
    """An attempt that failed.

    Attributes:
        fault: Why it failed.
        again: Whether another attempt is useful. False if the error is final.
        after: The pause that the error asks for, in seconds; None if it asks for none.
        within: For a postponed attempt, the limit for the sum of such pauses, in
            seconds. None for all other attempts.
    """

    model_config = ConfigDict(frozen=True)

    fault: Fault
    again: bool
    after: float | None = None
    within: float | None = None


@dataclass
class AttemptCounts:
    """How many attempts were made so far.

    Attributes:
        number: The number of the attempt to make now; 1 for the first.
        count: Its number since the start, or since the run was resumed.
        postponed: How many attempts were postponed, which `count` does not count.
        waited: The sum of the pauses of the postponed attempts, in seconds.
    """

    number: int = 1
    count: int = 1
    postponed: int = 0
    waited: float = 0.0


class RetrySchedule:
    """The attempts that a policy allows.

    Args:
        policy: How many attempts there are, with which pauses.
        random: Returns a number from 0 to 1, which shortens a pause by up to half. So
            subtasks that failed together are not all tried again at the same moment.
        attempts: The attempts that were made before, if any.

    Attributes:
        attempts: How many attempts were made so far.
    """

    def __init__(
        self,
        policy: Policy,
        random: Callable[[], float],
        attempts: AttemptCounts | None = None,
    ) -> None:
        self.attempts = replace(attempts) if attempts else AttemptCounts()
        self._policy = policy
        self._random = random

    @property
    def number(self) -> int:
        """The number of the attempt to make now; 1 for the first."""
        return self.attempts.number

    def pause_after(self, failed: FailedAttempt) -> float | None:
        """Count a failed attempt, and return the pause after it.

        Returns:
            The pause in seconds; None if this attempt was the last one.
        """
        made = self.attempts
        number = made.count + made.postponed
        pause = shortened_pause(self._policy, number, self._random())
        if failed.within is not None:
            pause += failed.after or 0.0
            made.postponed += 1
            made.waited += pause
            return None if made.waited > failed.within else pause
        if not failed.again or made.count == self._policy.max_attempts:
            return None
        made.count += 1
        made.number += 1
        return pause if failed.after is None else failed.after

    def fault(self, failed: FailedAttempt) -> Fault:
        """Return why the function failed, when its last attempt has failed."""
        message = failed.fault.message
        if failed.within is not None and self.attempts.waited > failed.within:
            message += f" (its pauses would take longer than {failed.within:g} s)"
        update = {"attempts": self.number, "message": message}
        return failed.fault.model_copy(update=update)

    def renew(self) -> None:
        """Allow all attempts again, after somebody has repaired the cause."""
        self.attempts = AttemptCounts(self.number + 1)


def shortened_pause(policy: Policy, attempt: int, random: float) -> float:
    """Return the pause after an attempt, in seconds: up to half shorter, at random."""
    return longest_pause(policy, attempt) * (1 - random / 2)


def longest_pause(policy: Policy, attempt: int) -> float:
    """Return the longest pause after an attempt, in seconds."""
    longest = policy.max_retry_interval.total_seconds()
    try:
        factor = policy.retry_interval_factor ** (attempt - 1)
    except OverflowError:
        return longest
    return min(policy.initial_retry_interval.total_seconds() * factor, longest)
