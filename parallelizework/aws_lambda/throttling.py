"""`retry_soon`: shortens the pauses after AWS Lambda has refused an invocation.

AWS Lambda refuses invocations while too many are executed at once. A restate-server
treats a refusal as a failure, and doubles its pause each time. The pauses for a worker
that is down are up to a minute long: the function would be idle.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from restate import InvocationRetryPolicy

from parallelizework.restate_sdk import RETRIED_FOR_A_DAY, RETRIED_WITHOUT_END
from parallelizework.served import RestateService

_LONGEST = timedelta(seconds=5)
_FOR_OUTAGES = (RETRIED_FOR_A_DAY, RETRIED_WITHOUT_END)
_MOST = 2**31 - 1  # that a restate-server accepts


def retry_soon(services: Iterable[RestateService]) -> None:
    """Shorten the pauses of our own policies for outages.

    All attempts together take as long as before.
    """
    for service in services:
        made: Any = service  # the SDK's types of handlers are half typed
        for handler in made.handlers.values():
            if handler.invocation_retry_policy in _FOR_OUTAGES:
                handler.invocation_retry_policy = _soon(handler.invocation_retry_policy)


def _soon(policy: InvocationRetryPolicy) -> InvocationRetryPolicy:
    attempts, longest = policy.max_attempts or 0, policy.max_interval or _LONGEST
    more = min(_MOST, round(attempts * (longest / _LONGEST)))
    return replace(policy, max_interval=_LONGEST, max_attempts=more)
