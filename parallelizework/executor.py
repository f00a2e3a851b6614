"""`Executor`: what executes the subtasks of fan-outs that are served elsewhere."""

from typing import Generic, TypeVar

from restate import Service

from parallelizework.definition.checks import checked_name
from parallelizework.definition.definition import define_executor
from parallelizework.definition.signatures import Executes
from parallelizework.policy import Policy
from parallelizework.restate_service import executing_service
from parallelizework.served import RestateService

Subtask = TypeVar("Subtask")
Value = TypeVar("Value")


class Executor(Generic[Subtask, Value]):
    """Executes the subtasks of fan-outs that name it, in processes of its own.

    Args:
        name: The service's name, for the `executor` of a `FanOut`.
        execute: As that of a `FanOut`.
        policy: How often a subtask is tried, with which pauses, and how long an attempt
            takes; a fan-out or a request may say otherwise. The rest is for the policy
            of the fan-out to say. Handler code with `on_exhausted="pause"` is retried
            by Restate itself: then nobody else may say how often.
        max_threads: As that of a `FanOut`.

    Raises:
        DefinitionError: As by a `FanOut`.
    """

    def __init__(
        self,
        name: str,
        *,
        execute: Executes[Subtask, Value],
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None:
        self.name = checked_name(name)
        self.definition = define_executor(
            name, execute, policy or Policy(), max_threads
        )

    def __repr__(self) -> str:
        return f"Executor({self.name!r})"

    @property
    def service(self) -> Service:
        """The Restate service."""
        return executing_service(self.definition)

    @property
    def services(self) -> list[RestateService]:
        """The Restate services; `parallelizework.app(executor)` serves them."""
        return [self.service]
