"""`retry_soon`: AWS Lambda refuses invocations while too many are executed at once.

A restate-server treats a refusal as a failure, and doubles its pause each time. The
pauses for a worker that is down are up to a minute long: the function would be idle.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from restate import InvocationRetryPolicy

from parallelizework.served import RestateService

_LONGEST = timedelta(seconds=5)
# A policy with more attempts is one of ours, and is for outages. All together, its
# attempts take as long as before.
_MANY = 1_000
_MOST = 2**31 - 1  # that a restate-server accepts


def retry_soon(services: Iterable[RestateService]) -> None:
    """Shorten the pauses between the attempts at invocations."""
    for service in services:
        made: Any = service  # the SDK's types of handlers are half typed
        for handler in made.handlers.values():
            if policy := handler.invocation_retry_policy:
                handler.invocation_retry_policy = _soon(policy)


def _soon(policy: InvocationRetryPolicy) -> InvocationRetryPolicy:
    attempts, longest = policy.max_attempts or 0, policy.max_interval
    if attempts < _MANY or longest is None or longest <= _LONGEST:
        return policy
    more = min(_MOST, round(attempts * (longest / _LONGEST)))
    return replace(policy, max_interval=_LONGEST, max_attempts=more)
