"""Checks of a policy: whether it fits the function that executes subtasks."""

from parallelizework.definition.function import Function
from parallelizework.definition.waiting_checks import without_waiting
from parallelizework.errors import DefinitionError
from parallelizework.policy import ABOUT_ATTEMPTS, Policy


def check_policy(execute: Function, policy: Policy, served: Policy) -> None:
    """Refuse a policy that is not possible with a function.

    Args:
        execute: The function that executes subtasks.
        policy: The policy of the run.
        served: The policy of the definition. For handler code that Restate pauses, the
            fields about attempts must be the same in both.

    Raises:
        DefinitionError: The policy is not possible.
    """
    if policy.max_items_per_batch != 1:
        check_batches(execute, policy)
    if policy.attempt_timeout and execute.accepts_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it accepts a restate.Context), so it "
            "cannot have attempt_timeout: use subtask_timeout"
        )
    pauses = "pause" in (policy.on_exhausted, served.on_exhausted)
    if execute.accepts_context and pauses:
        _check_retry(policy, served)


def check_batches(execute: Function, policy: Policy) -> None:
    """Refuse a policy that is not possible with batches.

    Raises:
        DefinitionError: The policy is not possible.
    """
    if execute.accepts_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it accepts a restate.Context), so it "
            "cannot be executed in batches: use max_items_per_batch=1"
        )
    if without_waiting(execute)[1]:
        raise DefinitionError(
            f"{execute.name} may return Waiting, so it cannot be executed in batches: "
            "use max_items_per_batch=1"
        )
    if policy.on_exhausted == "pause":
        raise DefinitionError(
            "on_exhausted='pause' would execute a whole batch again after the resume: "
            "use max_items_per_batch=1"
        )


def check_executor_policy(name: str, policy: Policy) -> None:
    """Refuse a policy that sets fields for which only a fan-out's policy is used.

    Raises:
        DefinitionError: The policy sets such a field.
    """
    if others := policy.model_fields_set.difference(ABOUT_ATTEMPTS):
        raise DefinitionError(
            f"the policy of executor {name} sets {', '.join(sorted(others))}: set this "
            "in the policy of the fan-out. The policy of an executor may set only "
            f"{', '.join(ABOUT_ATTEMPTS)}"
        )


def _check_retry(policy: Policy, served: Policy) -> None:
    requested, defined = (each.retry() for each in (policy, served))
    for name in requested:
        if requested[name] != defined[name]:
            raise DefinitionError(
                f"{name}={requested[name]} cannot differ from the definition's "
                f"{defined[name]}: with on_exhausted='pause', Restate itself retries "
                "handler code, by the definition of the service that executes it"
            )
