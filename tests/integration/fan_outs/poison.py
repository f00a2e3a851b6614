"""Fan-outs in which one poison arises at one point.

A run has three subtasks, and poison concerns the second. Each fan-out exists for three
types of value (`SHAPES`), since a poison may be harmless in one of them.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from inspect import Parameter, Signature, iscoroutine
from typing import Any

from restate import Context, TerminalError

from parallelizework import CompletionReason, Done, Executor, Failure, FanOut, Policy

from ..poison.models import POISONED, SUBTASKS, Dose, Item, Report, Task
from ..poison.shapes import SHAPES, Shape, arise
from ..poison.values import UNFIT

_SOON, _LATER = timedelta(milliseconds=10), timedelta(milliseconds=100)
QUICK = Policy(max_attempts=2, initial_retry_interval=_SOON, max_retry_interval=_LATER)


LASTING = Policy(
    max_attempts=1_000_000, initial_retry_interval=_LATER, max_retry_interval=_LATER
)


def typed(
    function: Callable[..., Any], *hints: object, is_async: bool = False
) -> Callable[..., Any]:
    """A function with hints that are known only here, the last for what it returns."""

    async def awaited(*args: object) -> object:
        await asyncio.sleep(0)
        found = function(*args)
        return await found if iscoroutine(found) else found

    def called(*args: object) -> object:
        return function(*args)

    made = awaited if is_async else called
    parameters = [
        Parameter(f"value_{n}", Parameter.POSITIONAL_OR_KEYWORD, annotation=hint)
        for n, hint in enumerate(hints[:-1])
    ]
    signature = Signature(parameters, return_annotation=hints[-1])
    setattr(made, "__signature__", signature)  # noqa: B010 - no type checker knows it
    return made


def executed(item: Any) -> Any:
    """`execute`."""
    if item.dose.at == "execute" and item.index == POISONED:
        return arise(item.dose)
    if "failing" in item.dose.at and item.index == POISONED:
        raise TerminalError("bad", 418)
    return item.load


async def handled(ctx: Any, item: Any) -> Any:
    """`execute`, as handler code."""
    await ctx.sleep(timedelta(milliseconds=1))
    return executed(item)


class Functions:
    """The other functions, for one shape of value."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def items(self, task: Any) -> Any:
        """`split`."""
        if task.at == "split":
            return arise(task)
        return [self._item(task, index) for index in range(SUBTASKS)]

    def _item(self, task: Any, index: int) -> Any:
        load = self._shape.healthy(task.dose)
        if index == POISONED and task.at in ("item", "failing item", "done", "shard"):
            load = arise(task)
        if index == POISONED and task.at == "task":
            load = task.load
        if index == POISONED and task.at == "done":
            return Done(load)
        kind = Item[self._shape.load]
        return kind.model_construct(dose=task.dose, index=index, load=load)

    def expanded(self, shard: Any) -> Any:
        """`expand`."""
        if shard.dose.at == "expand" and shard.index == POISONED:
            return arise(shard.dose)
        if "expanded item" in shard.dose.at and shard.index == POISONED:
            return [shard.model_copy(update={"load": arise(shard.dose)})]
        return [shard]

    def folded(self, values: Any) -> Any:
        """`combine`."""
        dose = self._shape.dose(values[0])
        if dose and dose.at == "combine":
            return arise(dose)
        return values[POISONED]

    def report(self, values: Any, failures: Any, reason: Any) -> Any:
        """`aggregate`."""
        dose = next(filter(None, map(self._shape.dose, values)), Dose())
        kinds = [self._shape.kind(value) for value in values]
        found = [(each.index, each.status, each.code) for each in failures]
        report = Report(values=kinds, failures=found, reason=reason)
        if dose.at != "aggregate":
            return report, None
        poison = arise(dose)
        return poison if dose.kind in UNFIT else (report, poison)


class Family:
    """The fan-outs for one shape of value, which differ in how they are executed."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = f"Poison{name}"
        self._load = shape.load
        self._item = Item[shape.load]
        self._functions = Functions(shape)

    def all(self) -> dict[str, FanOut[Any, Any, Any, Any] | Executor[Any, Any]]:
        """They, and their executor, by name."""
        executor = Executor(
            f"{self.name}Elsewhere", execute=self._execute(is_async=False)
        )
        made = [
            self._plain("Sync", execute=self._execute(is_async=False)),
            self._plain("Async", is_async=True, execute=self._execute(is_async=True)),
            self._plain("Code", execute=self._code()),
            self._plain("CodeLasting", policy=LASTING, execute=self._code()),
            self._plain("Executor", executor=executor.name),
            self._sharded("SyncShards", is_async=False),
            self._sharded("AsyncShards", is_async=True),
            executor,
        ]
        return {each.name: each for each in made}

    def _execute(self, *, is_async: bool) -> Callable[..., Any]:
        return typed(executed, self._item, self._load, is_async=is_async)

    def _code(self) -> Callable[..., Any]:
        return typed(handled, Context, self._item, self._load, is_async=True)

    def _sharded(self, way: str, *, is_async: bool) -> FanOut[Any, Any, Any, Any]:
        """With `expand` and `combine`."""
        these, lists = self._functions, list[self._load]
        expanded = typed(
            these.expanded, self._item, list[self._item], is_async=is_async
        )
        folded = typed(these.folded, lists, self._load, is_async=is_async)
        return self._fan_out(
            way,
            self._item,
            is_async=is_async,
            execute=self._execute(is_async=is_async),
            expand=expanded,
            combine=folded,
        )

    def _plain(self, way: str, **given: Any) -> FanOut[Any, Any, Any, Any]:
        return self._fan_out(way, self._item | Done[self._load], **given)

    def _fan_out(
        self,
        way: str,
        item: object,
        *,
        is_async: bool = False,
        policy: Policy = QUICK,
        **given: Any,
    ) -> FanOut[Any, Any, Any, Any]:
        these, load = self._functions, self._load
        inputs = (list[load], list[Failure[self._item]], CompletionReason)
        result = tuple[Report, load | None]
        return FanOut(
            f"{self.name}{way}",
            split=typed(these.items, Task[load], list[item], is_async=is_async),
            aggregate=typed(these.report, *inputs, result, is_async=is_async),
            policy=policy,
            **given,
        )


FAN_OUTS = {
    name: fan_out
    for name_of_shape, shape in SHAPES.items()
    for name, fan_out in Family(name_of_shape, shape).all().items()
}


globals().update(FAN_OUTS)  # so that `serve` finds each by its name
