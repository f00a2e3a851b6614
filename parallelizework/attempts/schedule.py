"""The retry schedule: whether to make another attempt, and after which pause. Pure."""

import math
from collections.abc import Callable

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


class Schedule:
    """The attempts that a policy allows.

    Args:
        policy: How many attempts there are, with which pauses.
        random: Returns a number from 0 to 1, which shortens a pause by up to half. So
            subtasks that failed together are not all tried again at the same moment.

    Attributes:
        number: The number of the attempt to make now; 1 for the first.
    """

    def __init__(self, policy: Policy, random: Callable[[], float]) -> None:
        self.number = 1
        self._policy = policy
        self._random = random
        self._count = 1  # attempts since the start, or since the run was resumed
        self._postponed = 0  # postponed attempts, which `_count` does not count
        self._waited = 0.0  # seconds: the sum of the pauses of postponed attempts
        self._too_long: float | None = None  # seconds: a pause that was not possible

    def pause_after(
        self, failed: FailedAttempt, longest: float = math.inf
    ) -> float | None:
        """Count a failed attempt, and return the pause after it.

        Args:
            failed: The failed attempt.
            longest: The longest pause that is possible now, in seconds.

        Returns:
            The pause in seconds; None if this attempt was the last one.
        """
        number = self._count + self._postponed
        pause = shortened_pause(self._policy, number, self._random())
        if failed.within is not None:
            pause += failed.after or 0.0
            self._postponed += 1
            self._waited += pause
            if self._waited > failed.within:
                return None
            return self._within(longest, pause)
        if not failed.again or self._count == self._policy.max_attempts:
            return None
        pause = self._within(longest, pause if failed.after is None else failed.after)
        if pause is not None:
            self._count += 1
            self.number += 1
        return pause

    def _within(self, longest: float, pause: float) -> float | None:
        """Return the pause; None if it is too long."""
        if pause <= longest:
            return pause
        self._too_long = pause
        return None

    def fault(self, failed: FailedAttempt) -> Fault:
        """Return why the function failed, when its last attempt has failed."""
        message = failed.fault.message
        if failed.within is not None and self._waited > failed.within:
            message += f" (its pauses would take longer than {failed.within:g} s)"
        if self._too_long is not None and failed.fault.status != "timed_out":
            message += f" (no time is left for a pause of {self._too_long:.3g} s)"
        update = {"attempts": self.number, "message": message}
        return failed.fault.model_copy(update=update)

    def renew(self) -> None:
        """Allow all attempts again, after somebody has repaired the cause."""
        self.number += 1
        self._count, self._postponed, self._waited = 1, 0, 0.0


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
