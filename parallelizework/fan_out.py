"""`FanOut`: plain functions and a policy, served as one Restate service."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Generic, TypeAlias, TypeVar, overload

from restate import Context, Service, VirtualObject

from parallelizework.attempts import Attempt
from parallelizework.definition import define
from parallelizework.outcome import Done, Failure
from parallelizework.policy import Policy
from parallelizework.progress import RETENTION, progress_object
from parallelizework.rule import CompletionReason
from parallelizework.service import service

Task = TypeVar("Task")
Shard = TypeVar("Shard")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")

Lists = (
    Callable[[Task], Awaitable[Iterable[Subtask]]]
    | Callable[[Task], AsyncIterable[Subtask]]
    | Callable[[Task], Iterable[Subtask]]
)
Executes = (
    Callable[[Context, Subtask], Awaitable[Value]]
    | Callable[[Subtask], Awaitable[Value]]
    | Callable[[Subtask, Attempt], Awaitable[Value]]
    | Callable[[Subtask], Value]
    | Callable[[Subtask, Attempt], Value]
)
Folds = Callable[[list[Value]], Awaitable[Result]] | Callable[[list[Value]], Result]
# A string, as typing cannot put types into a pydantic model that is within a list.
Aggregates: TypeAlias = """(
    Folds[Value, Result]
    | Callable[[list[Value], list[Failure[Subtask]]], Awaitable[Result]]
    | Callable[[list[Value], list[Failure[Subtask]]], Result]
    | Callable[
        [list[Value], list[Failure[Subtask]], CompletionReason], Awaitable[Result]
    ]
    | Callable[[list[Value], list[Failure[Subtask]], CompletionReason], Result]
)"""


class FanOut(Generic[Task, Subtask, Value, Result]):
    """A durable fan-out/fan-in, served as the Restate service `name`.

    The service has two handlers. `run` takes a task, splits it in one durable step,
    calls `runSubtask` once for each subtask and answers with the aggregate of the
    values, in the order of the split. `runSubtask` executes one subtask.

    Every function may be sync (it runs in a thread) or async, and each must have type
    hints: anything pydantic can describe.

    Args:
        name: The service's name: letters, digits, `_`, `.` and `-`.
        split: `(Task) -> Iterable[Subtask]`. Nothing to split is an empty list, and
            then `aggregate` gets an empty list. A subtask whose value is known already
            may be given as `Done(value)`: it is not called. A task model with a
            field `policy: Policy` overrides the definition's policy per request.
        execute: `(Subtask) -> Value`, journaled as one step; it may also take the
            `Attempt`. Or, as handler code that may sleep, call or wait durably,
            `(restate.Context, Subtask) -> Value`.
        aggregate: `(list[Value]) -> Result`; it may also take what failed within the
            policy's tolerance, `list[Failure[Subtask]]`, and the `CompletionReason`.
        expand: `(Shard) -> Iterable[Subtask]`, for input that is too large for one
            list: then `split` gives shards, and each is expanded where its subtasks
            are executed.
        combine: `(list[Value]) -> Value`, associative, for values that are too many
            for one list: it folds them in each part of a run, so that `aggregate` gets
            a list of one value (of none, where there was nothing to do).
        policy: The limits and the completion rule of a run.
        max_threads: How many sync functions may run at once in one worker process.
            The default is enough for four runs of the default policy; a thread that
            waits costs some 50 kB.

    Raises:
        DefinitionError: A name Restate would refuse, something that is not callable,
            or a hint that is missing or does not fit; it names function and parameter.
    """

    @overload
    def __init__(
        self,
        name: str,
        *,
        split: Lists[Task, Subtask | Done[Value]],
        execute: Executes[Subtask, Value],
        aggregate: Aggregates[Value, Result, Subtask],
        combine: Folds[Value, Value] | None = None,
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        *,
        split: Lists[Task, Shard],
        expand: Lists[Shard, Subtask | Done[Value]],
        execute: Executes[Subtask, Value],
        aggregate: Aggregates[Value, Result, Subtask],
        combine: Folds[Value, Value] | None = None,
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None: ...

    def __init__(  # noqa: PLR0913 - the public API is these names
        self,
        name: str,
        *,
        split: Callable[..., Any],
        execute: Callable[..., Any],
        aggregate: Callable[..., Any],
        expand: Callable[..., Any] | None = None,
        combine: Callable[..., Any] | None = None,
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None:
        functions = {
            "split": split,
            "expand": expand,
            "execute": execute,
            "combine": combine,
            "aggregate": aggregate,
        }
        self.definition = define(name, functions, policy or Policy(), max_threads)

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.definition.name

    @property
    def services(self) -> list[Service | VirtualObject]:
        """What to serve: `restate.app(fan_out.services)`."""
        return services(self)


def services(
    *fan_outs: FanOut[Any, Any, Any, Any], progress_retention: timedelta = RETENTION
) -> list[Service | VirtualObject]:
    """What to serve for several fan-outs, with the `FanOutProgress` that they share.

    Args:
        progress_retention: How long that remembers a run after its last update.
    """
    progress = progress_object(progress_retention)
    return [*(service(fan_out.definition) for fan_out in fan_outs), progress]
