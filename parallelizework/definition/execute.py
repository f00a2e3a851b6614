"""`ExecuteDefinition`: the function that executes the subtasks of a service."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from restate import TerminalError

from parallelizework.definition.function import Function
from parallelizework.definition.policy_checks import check_batches, check_policy
from parallelizework.definition.waiting_checks import (
    check_receive,
    check_remind,
    without_waiting,
)
from parallelizework.errors import DefinitionError
from parallelizework.headers import POLICY_HEADER, overrides_of
from parallelizework.outcomes import Waiting
from parallelizework.policy import Overrides, Policy
from parallelizework.serde.message import list_of
from parallelizework.serde.validated_json import Json

REFERENCE = "use a reference instead, such as a path or a key"


class ExecuteDefinition:
    """The function that executes subtasks, its policy and its types.

    Args:
        name: The name of the service.
        function: The user's `execute`.
        policy: How many attempts there are, with which pauses and timeouts.
        subtask: The type of a subtask.
        remind: The user's `remind`, if any.
        receive: The user's `receive`, if any.

    Attributes:
        may_wait: Whether the function may return `Waiting`.
        value: The type of a value, without `Waiting`.
        arity: How many values the function accepts: 1 is the subtask alone, 2 is the
            subtask and the attempt.
        subtask_json: JSON of a subtask, as a caller sends it.
        subtasks_json: JSON of the subtasks of a batch.
        value_json: JSON of the value that `execute` returns.

    Raises:
        DefinitionError: The function and the policy do not fit each other.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the user's definition
        self,
        name: str,
        function: Function,
        policy: Policy,
        subtask: object,
        *,
        remind: Function | None = None,
        receive: Function | None = None,
    ) -> None:
        self.value, self.may_wait = without_waiting(function)
        check_policy(function, policy, policy)
        if remind:
            check_remind(remind, subtask)
        if receive:
            check_receive(receive, subtask, self.value)
        self.name = name
        self.function = function
        self.remind = remind
        self.receive = receive
        self.policy = policy
        self.arity = len(function.parameters)
        self.subtask_json = Json[Any](
            subtask, f"a subtask of {name}", remedy=REFERENCE, status=400
        )
        self.subtasks_json = Json[list[Any]](
            list_of(subtask), f"the subtasks of {name}"
        )
        self.value_json = value_json(name, self.value)

    def accept(self, body: bytes, headers: Mapping[str, str]) -> tuple[Any, Policy]:
        """Return the subtask of a call, and its policy.

        Raises:
            TerminalError: 400; the body is not a subtask, or the policy in the headers
                is not possible.
        """
        header = headers.get(POLICY_HEADER)
        try:
            overrides = {} if header is None else overrides_of(header)
        except ValueError as error:
            raise TerminalError(str(error), 400) from error
        return self.subtask_json.deserialize(body), self.policy_for(overrides)

    def serialize(self, value: object, held: int = 0, held_name: str = "") -> bytes:
        """Return a value of the function as JSON; `held` as for `Json.serialize`.

        Raises:
            TerminalError: The value does not fit its type, or is too large.
        """
        if isinstance(value, Waiting):  # any type accepts it, and so do some others
            raise TerminalError(
                f"a value of {self.name} is a Waiting: add Waiting[...] to the return "
                f"hint of {self.function.name}, as one of its types",
                500,
            )
        return self.value_json.serialize(value, held, held_name)

    def policy_for(self, overrides: Overrides, *, batch: bool = False) -> Policy:
        """Return the policy of a run.

        Args:
            overrides: The fields of the policy that the request sets.
            batch: Whether the call is for a batch. An executor knows this only from
                the call.

        Raises:
            TerminalError: 400; the request's policy is not possible.
        """
        policy = overridden(self.name, self.policy, overrides, self.function)
        if batch:
            with _bad_request(self.name):
                check_batches(self.function, policy)
        return policy


def value_json(name: str, hint: object) -> Json[Any]:
    """Return the JSON of the values of a service's subtasks."""
    return Json[Any](hint, f"a value of {name}", remedy=REFERENCE)


def overridden(
    name: str, policy: Policy, overrides: Overrides, execute: Function | None
) -> Policy:
    """Return a policy with the fields that a request sets.

    Raises:
        TerminalError: 400; the request's policy is not possible.
    """
    if not overrides:
        return policy
    with _bad_request(name):
        changed = policy.overridden(Policy.model_validate(overrides))
        if execute:
            check_policy(execute, changed, policy)
    return changed


@contextmanager
def _bad_request(name: str) -> Generator[None]:
    try:
        yield
    except (DefinitionError, ValidationError) as error:
        raise TerminalError(f"the policy of {name}: {error}", 400) from error
