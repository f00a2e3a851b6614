"""`FanOut`: three functions and a policy, served as one Restate service."""

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from restate import Context, InvocationRetryPolicy, RunOptions, Service
from restate.handler import TypeHint, handler_from_callable
from restate.serde import BytesSerde

from parallelizework.coordinator import Call, fan_out
from parallelizework.errors import DefinitionError
from parallelizework.function import Function, accepts, item_type
from parallelizework.policy import Policy
from parallelizework.serde import Json

Task = TypeVar("Task")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")
T = TypeVar("T")

_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_.-]*")  # restate-server 1.7
_KEPT = re.compile(r"restate.*|openapi", re.IGNORECASE)


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
            then `aggregate` gets an empty list.
        execute: `(Subtask) -> Value`, journaled as one step; or, as handler code that
            may sleep, call or wait durably, `(restate.Context, Subtask) -> Value`.
        aggregate: `(list[Value]) -> Result`.
        policy: The limits of a run.

    Raises:
        DefinitionError: A name Restate would refuse, something that is not callable,
            or a hint that is missing or does not fit; it names function and parameter.
    """

    def __init__(
        self,
        name: str,
        *,
        split: Callable[[Task], Awaitable[Iterable[Subtask]]]
        | Callable[[Task], AsyncIterable[Subtask]]
        | Callable[[Task], Iterable[Subtask]],
        execute: Callable[[Context, Subtask], Awaitable[Value]]
        | Callable[[Subtask], Awaitable[Value]]
        | Callable[[Subtask], Value],
        aggregate: Callable[[list[Value]], Awaitable[Result]]
        | Callable[[list[Value]], Result],
        policy: Policy | None = None,
    ) -> None:
        self.name = _checked_name(name)
        self.policy = policy or Policy()
        self._split = Function("split", split)
        self._execute = Function("execute", execute)
        self._aggregate = Function("aggregate", aggregate)
        subtask = _checked_flow(self._split, self._execute, self._aggregate)
        self.task = Json[Task](self._split.parameter, f"the task of {name}", status=400)
        self.subtask = Json[Subtask](subtask, f"a subtask of {name}", status=400)
        self.value = Json[Value](self._execute.returns, f"a value of {name}")
        self.result = Json[Result](self._aggregate.returns, f"the result of {name}")
        self._subtask_call = Call(name, "runSubtask")
        self._subtasks = Json[list[Subtask]](_list_of(subtask), f"the split of {name}")

    @property
    def services(self) -> list[Service]:
        """What to serve: `restate.app(fan_out.services)`."""
        service = Service(self.name, description=f"Fan-out {self.name}")
        _serve(service, "run", self._run, (self.task, self.result))
        _serve(
            service,
            "runSubtask",
            self._run_subtask,
            (self.subtask, self.value),
            retry=self._retry_of_handler_code(),
        )
        return [service]

    async def _run(self, ctx: Context, body: bytes) -> bytes:
        """Split the task, execute its subtasks in parallel, aggregate their values."""
        task = self.task.deserialize(body)
        subtasks = await self._step(ctx, self._split, self._subtasks, task)
        bodies = [self.subtask.serialize(subtask) for subtask in subtasks]
        answers = await fan_out(
            ctx, self._subtask_call, bodies, window=self.policy.max_concurrency
        )
        values = [self.value.deserialize(answer) for answer in answers]
        result = await self._step(ctx, self._aggregate, self.result, values)
        return self.result.answer(result)

    async def _run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        subtask = self.subtask.deserialize(body)
        if self._execute.takes_context:
            value = await self._execute(ctx, subtask)
        else:
            value = await self._step(ctx, self._execute, self.value, subtask)
        return self.value.serialize(value)

    async def _step(
        self, ctx: Context, function: Function, gives: Json[T], value: object
    ) -> T:
        """Journal `function(value)` as one durable step of bounded attempts."""

        async def step() -> T:
            return await function(value)

        options = RunOptions[T](serde=gives, max_attempts=self.policy.max_attempts)
        return await ctx.run_typed(function.role, step, options)

    def _retry_of_handler_code(self) -> InvocationRetryPolicy | None:
        """Handler code is retried as a whole; a step counts its own attempts."""
        if not self._execute.takes_context:
            return None
        return InvocationRetryPolicy(
            max_attempts=self.policy.max_attempts, on_max_attempts="kill"
        )


def _serve(
    service: Service,
    name: str,
    function: Callable[[Context, bytes], Awaitable[bytes]],
    types: tuple[Json[Any], Json[Any]],
    *,
    retry: InvocationRetryPolicy | None = None,
) -> None:
    """Add a handler that reads and writes JSON itself, so that bad input is a 400."""

    async def handler(ctx: Context, body: bytes) -> bytes:
        return await function(ctx, body)

    handler.__doc__ = function.__doc__
    raw = BytesSerde()
    register = service.handler(
        name, input_serde=raw, output_serde=raw, invocation_retry_policy=retry
    )
    io = handler_from_callable(register(handler)).handler_io
    io.input_type = TypeHint[Any](bytes, generate_json_schema=types[0].schema)
    io.output_type = TypeHint[Any](bytes, generate_json_schema=types[1].schema)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"name={name!r} is no name for a Restate service: use a letter, then "
            "letters, digits, '_', '.' or '-'"
        )
    if _KEPT.fullmatch(name):
        raise DefinitionError(
            f"name={name!r} is one that Restate keeps for itself: choose one that is "
            "not 'openapi' and does not begin with 'restate'"
        )
    return name


def _checked_flow(split: Function, execute: Function, aggregate: Function) -> object:
    """The type of a subtask, if what one function gives is what the next one takes."""
    subtask = item_type(split.returns)
    if subtask is None:
        raise DefinitionError(
            f"{split.name} must return a list (or another iterable) of one type, "
            f"not {split.returns!r}"
        )
    value = item_type(aggregate.parameter)
    if value is None:
        raise DefinitionError(
            f"{aggregate.name} must take a list of values, not {aggregate.parameter!r}"
        )
    if not accepts(execute.parameter, subtask):
        raise DefinitionError(
            f"{execute.name} takes {execute.parameter!r}, but {split.name} gives "
            f"{subtask!r}"
        )
    if not accepts(value, execute.returns):
        raise DefinitionError(
            f"{aggregate.name} takes a list of {value!r}, but {execute.name} gives "
            f"{execute.returns!r}"
        )
    return subtask


def _list_of(item: object) -> object:
    return list[item]  # type: ignore[valid-type] - a type known only at run time
