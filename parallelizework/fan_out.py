"""`FanOut`: plain functions and a policy, served as one Restate service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from restate import Context, Service

from parallelizework.definition.definition import define
from parallelizework.definition.signatures import Aggregates, Executes, Folds, Lists
from parallelizework.errors import DefinitionError
from parallelizework.messages import HandlerName
from parallelizework.outcomes import Done
from parallelizework.policy import Policy
from parallelizework.progress.virtual_object import RETENTION, progress_object
from parallelizework.restate_service import service
from parallelizework.served import RestateService, Served

Task = TypeVar("Task")
Shard = TypeVar("Shard")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")


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
        executor: The name of an `Executor` that is served elsewhere, instead of
            `execute`.
        aggregate: `(list[Value]) -> Result`. After the values it may take what failed
            within the policy's tolerance, `list[Failure[Subtask]]`, the
            `CompletionReason`, and the task. The type hint of each says which of them
            it is.
        expand: `(Shard) -> Iterable[Subtask]`, for input that is too large for one
            list: then `split` gives shards, and each is expanded where its subtasks
            are executed.
        combine: `(list[Value]) -> Value`, associative, for values that are too many
            for one list: it folds them in each part of a run, so that `aggregate` gets
            a list of one value (of none, where there was nothing to do).
        policy: The limits and the completion rule of a run.
        max_threads: How many sync `execute`s may run at once in one worker process;
            the other functions together have as many threads of their own. The
            default is enough for four runs of the default policy; a thread that waits
            costs some 50 kB. Functions that timed out or were cancelled do not count,
            up to four times as many.

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
        execute: Executes[Subtask, Value] | None = None,
        executor: str | None = None,
        aggregate: Aggregates[Value, Result, Subtask, Task],
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
        execute: Executes[Subtask, Value] | None = None,
        executor: str | None = None,
        aggregate: Aggregates[Value, Result, Subtask, Task],
        combine: Folds[Value, Value] | None = None,
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None: ...

    def __init__(  # noqa: PLR0913 - the public API is these names
        self,
        name: str,
        *,
        split: Callable[..., Any],
        execute: Callable[..., Any] | None = None,
        executor: str | None = None,
        aggregate: Callable[..., Any],
        expand: Callable[..., Any] | None = None,
        combine: Callable[..., Any] | None = None,
        policy: Policy | None = None,
        max_threads: int = 256,
    ) -> None:
        if bool(execute) == bool(executor):
            raise DefinitionError(
                f"{name} needs execute, or the name of the executor that has it; one "
                "of the two"
            )
        functions = {
            "split": split,
            "expand": expand,
            "execute": execute,
            "combine": combine,
            "aggregate": aggregate,
        }
        policy = policy or Policy()
        self.definition = define(name, functions, policy, max_threads, executor)

    def __repr__(self) -> str:
        return f"FanOut({self.name!r})"

    async def call(
        self, ctx: Context, task: Task, *, idempotency_key: str | None = None
    ) -> Result:
        """Call `run` from a handler of your own, and return its result.

        The call is durable: a handler that is executed again finds the result of the
        same run. What handler code sends must not differ between its executions, so
        give no task with a set in it.

        Args:
            ctx: The context of the handler.
            task: The task of the run.
            idempotency_key: A second call with the same key gets the result of the
                first one, whatever its task is.

        Raises:
            TerminalError: The run failed, or the task or the result does not fit its
                type.
        """
        this = self.definition
        body = this.task_json.serialize(task)
        answer = await ctx.generic_call(
            this.name, HandlerName.RUN, body, idempotency_key=idempotency_key
        )
        return this.result_json.deserialize(answer)

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.definition.name

    @property
    def service(self) -> Service:
        """The Restate service, without `FanOutProgress`."""
        return service(self.definition)

    @property
    def services(self) -> list[RestateService]:
        """The Restate services; `parallelizework.app(fan_out)` serves them."""
        return services(self)


def services(
    *served: Served, progress_retention: timedelta = RETENTION
) -> list[RestateService]:
    """The Restate services of fan-outs and executors, with `FanOutProgress`.

    Args:
        served: Fan-outs, executors, and Restate services beside them.
        progress_retention: How long `FanOutProgress` remembers a run after its last
            update. It is there where there is a `FanOut`.

    Raises:
        DefinitionError: Two services have the same name.
    """
    made = [
        each if isinstance(each, RestateService) else each.service for each in served
    ]
    if any(isinstance(each, FanOut) for each in served):
        made.append(progress_object(progress_retention))
    names = Counter(each.name for each in made)
    if twice := [name for name, times in names.items() if times > 1]:
        raise DefinitionError(
            f"several services are named {twice[0]!r}: give each a name of its own"
        )
    return made
