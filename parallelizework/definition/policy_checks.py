"""Checks: whether a policy fits the function that executes subtasks."""

from parallelizework.definition.function import Function
from parallelizework.errors import DefinitionError
from parallelizework.policy import ABOUT_ATTEMPTS, Policy


def check_policy(execute: Function, policy: Policy, served: Policy) -> None:
    """Refuse what cannot be done with a function, or cannot differ per request."""
    if policy.max_items_per_batch > 1:
        check_batches(execute, policy)
    if policy.attempt_timeout and execute.accepts_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it takes a restate.Context), whose "
            "attempts have no timeout: use subtask_timeout"
        )
    pauses = "pause" in (policy.on_exhausted, served.on_exhausted)
    if execute.accepts_context and pauses:
        _check_retry(policy, served)


def check_batches(execute: Function, policy: Policy) -> None:
    """Refuse what cannot be done in batches."""
    if execute.accepts_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it takes a restate.Context), which "
            "cannot be one step of a batch: leave max_items_per_batch at 1"
        )
    if policy.on_exhausted == "pause":
        raise DefinitionError(
            "on_exhausted='pause' would execute a whole batch again when it is "
            "resumed: leave max_items_per_batch at 1"
        )


def check_executor_policy(name: str, policy: Policy) -> None:
    """Refuse what only the policy of a fan-out can say."""
    if others := policy.model_fields_set.difference(ABOUT_ATTEMPTS):
        raise DefinitionError(
            f"the policy of executor {name} says {', '.join(sorted(others))}, which "
            "is for the policy of the fan-out to say; an executor's may say "
            f"{', '.join(ABOUT_ATTEMPTS)}"
        )


def _check_retry(policy: Policy, served: Policy) -> None:
    wanted, ours = (each.retry() for each in (policy, served))
    for name in wanted:
        if wanted[name] != ours[name]:
            raise DefinitionError(
                f"{name}={wanted[name]} cannot differ from the definition's "
                f"{ours[name]}: Restate itself retries handler code that is to be "
                "paused, as the definition of the service that executes it says"
            )
