"""`Executor`: a service that executes subtasks for fan-outs of other workers."""

from typing import Generic, TypeVar

from restate import Service

from parallelizework.definition.checks import checked_name
from parallelizework.definition.definition import define_executor
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.signatures import (
    ExecuteFunction,
    ReceiveFunction,
    RemindFunction,
)
from parallelizework.policy import Policy
from parallelizework.restate_service import executing_service
from parallelizework.served import RestateService, Servable
from parallelizework.waiting.objects import waiting_objects

Subtask = TypeVar("Subtask")
Value = TypeVar("Value")


class Executor(Servable, Generic[Subtask, Value]):
    """A Restate service that executes the subtasks of fan-outs, in its own processes.

    A `FanOut` names the executor by `executor=` instead of having an `execute`. Use an
    executor when subtasks need other machines than the fan-out.

    Args:
        name: The name of the service: letters, digits, `_`, `.` and `-`.
        execute: `(Subtask) -> Value`, as for a `FanOut`.
        remind: `(Subtask, Reminder) -> None`, as for a `FanOut`.
        receive: `(Subtask, Event) -> Value`, as for a `FanOut`.
        policy: The attempts and pauses of a subtask. A policy of an executor may set
            `max_attempts`, `initial_retry_interval`, `max_retry_interval`,
            `retry_interval_factor`, `attempt_timeout` and `on_exhausted`. The policy of
            a fan-out, or of a request, overrides these fields. One exception: Restate
            itself retries handler code with `on_exhausted="pause"`, so these fields
            cannot be overridden. Default: `Policy()`.
        max_threads: How many sync `execute`s may run at the same time in one worker
            process. Default: 256.

    Attributes:
        name: The name of the service.

    Raises:
        DefinitionError: The name is invalid; or `execute` is not callable, lacks a type
            hint, or does not fit the policy.

    Examples:
        ```python
        shrinker = Executor("ThumbnailExecutor", execute=shrink)
        thumbnails = FanOut("Thumbnails", executor="ThumbnailExecutor", ...)
        ```
    """

    def __init__(  # noqa: PLR0913 - the public API is these names
        self,
        name: str,
        *,
        execute: ExecuteFunction[Subtask, Value],
        remind: RemindFunction[Subtask] | None = None,
        receive: ReceiveFunction[Subtask, Value] | None = None,
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None:
        self.name = checked_name(name)
        functions = {"execute": execute, "remind": remind, "receive": receive}
        self.definition = define_executor(
            name, functions, policy or Policy(), max_threads
        )

    def __repr__(self) -> str:
        return f"Executor({self.name!r})"

    @property
    def executes(self) -> ExecuteDefinition:
        """How the executor executes subtasks."""
        return self.definition

    @property
    def service(self) -> Service:
        """The Restate service of the executor."""
        return executing_service(self.definition)

    @property
    def services(self) -> list[RestateService]:
        """The Restate services of the executor: its own, and those that it needs."""
        return [self.service, *waiting_objects([self.definition])]
