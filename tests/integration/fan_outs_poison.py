"""Fan-outs in which one poison arises at one point, and the poisons themselves.

A run has three subtasks, and poison concerns the second. Each fan-out exists for three
types of value (`SHAPES`), since a poison may be harmless in one of them.
"""

import asyncio
import math
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from inspect import Parameter, Signature, iscoroutine
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework import CompletionReason, Done, Executor, Failure, FanOut, Policy

Load = TypeVar("Load")
MIB = 2**20
SUBTASKS = 3
POISONED = 1  # the index of the subtask, or shard, that poison concerns

_SOON, _LATER = timedelta(milliseconds=10), timedelta(milliseconds=100)
AT = [
    "",
    "task",
    "split",
    "item",
    "failing item",
    "done",
    "execute",
    "shard",
    "expand",
    "expanded item",
    "failing expanded item",
    "combine",
    "aggregate",
]
QUICK = Policy(max_attempts=2, initial_retry_interval=_SOON, max_retry_interval=_LATER)
LASTING = Policy(
    max_attempts=1_000_000, initial_retry_interval=_LATER, max_retry_interval=_LATER
)


class Vessel(BaseModel):
    """A model that can hold poison in a field."""

    number: float = 0.5
    maybe: float | None = None
    text: str = "healthy"
    table: dict[str, float] = {}
    more: Any = None


class Dose(BaseModel):
    """Which poison arises, and where.

    Attributes:
        at: "split", "item", "done", "expand", "shard", "execute", "combine", or
            "aggregate"; "task" where it is in the task already.
        key: A ledger, where each time is entered.
    """

    kind: str = ""
    at: str = ""
    key: str = ""


class Task(Dose, Generic[Load]):
    load: Load | None = None
    policy: Policy = Policy()

    @property
    def dose(self) -> Dose:
        """What it says, without the rest."""
        return Dose(kind=self.kind, at=self.at, key=self.key)


class Item(BaseModel, Generic[Load]):
    """A subtask or a shard."""

    dose: Dose
    index: int
    load: Load


class Report(BaseModel):
    """What `aggregate` was given: the kind of each value, and each failure's status."""

    values: list[str]
    failures: list[tuple[int, str, int]]
    reason: CompletionReason


class OwnBaseException(BaseException):
    """As a panic in an extension raises one."""


class Unprintable(Exception):
    """An error that cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __str__(self) -> str:
        raise ValueError("no str")


class Unshowable:
    """A value that cannot be shown."""

    __repr__ = Unprintable.__repr__
    __str__ = Unprintable.__str__


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def endless() -> BaseException:
    return endless()


def broken(**fields: Any) -> Vessel:
    """A model that was not validated."""
    return Vessel.model_construct(**(Vessel().model_dump() | fields))


LEVELS = (150, 197, 198, 199, 200, 250, 5_000)
NOT_A_NUMBER, NO_END = math.nan, math.inf
ANY: dict[str, Callable[[], object]] = {
    **{f"{levels} levels": lambda levels=levels: nested(levels) for levels in LEVELS},
    "4301 digits": lambda: 10**4_300,
    "10000 digits": lambda: 10**9_999,
    "NaN in a dict": lambda: {"x": NOT_A_NUMBER},
    "infinity in a dict": lambda: {"x": [NO_END]},
    "surrogate": lambda: "a\ud800b",
    "surrogate in a key": lambda: {"a\ud800b": 1},
    "bytes": lambda: {"x": b"\xff\xfe"},
    "cycle": cyclic,
    "object": object,
    "unshowable object": Unshowable,
    "exception": lambda: ValueError("as a value"),
}
NUMBER: dict[str, Callable[[], object]] = {
    "NaN": lambda: NOT_A_NUMBER,
    "infinity": lambda: NO_END,
    "None": lambda: None,
    "wrong type": lambda: "rubbish",
    "unshowable type": Unshowable,
}
UNFIT = ("None", "wrong type", "unshowable type")  # whole, not only a part of it
MODEL: dict[str, Callable[[], object]] = {
    "NaN in a field": lambda: Vessel(number=NOT_A_NUMBER),
    "infinity in a field": lambda: Vessel(number=-NO_END),
    "NaN in an optional field": lambda: Vessel(maybe=NOT_A_NUMBER),
    "NaN in a field's dict": lambda: Vessel(table={"x": NOT_A_NUMBER}),
    "NaN in a field of any type": lambda: Vessel(more=[NOT_A_NUMBER]),
    "surrogate in a field": lambda: broken(text="a\ud800b"),
    "bytes in a field": lambda: Vessel(more=b"\xff\xfe"),
    "None in a field": lambda: broken(number=None),
    "wrong type in a field": lambda: broken(number="rubbish"),
    "197 levels in a field": lambda: Vessel(more=nested(197)),
    "199 levels in a field": lambda: Vessel(more=nested(199)),
    "4301 digits in a field": lambda: Vessel(more=10**4_300),
}
VALUES = {"Any": ANY, "Number": NUMBER, "Model": MODEL}
SIZES: dict[str, Callable[[], object]] = {"33 MiB": lambda: "x" * 33 * MIB}
CODES: list[Any] = [418, 0, 99, 200, 600, 10**12, -1, None, "x"]
MESSAGES: dict[str, Any] = {
    "surrogate message": "cannot read \udcff.txt",
    "message of 1 MB": "x" * 10**6,
    "message with NUL": "a\0b",
    "message that looks like ours": "x [failed, attempts: 3]",
    "message with odd digits": "x [failed, attempts: \u0663]",
    "message None": None,
    "empty message": "",
}
DELAYS: dict[str, Any] = {
    "10 ms": _SOON,
    "negative": -timedelta(days=1),
    "endless": timedelta.max,
    "of the type int": 1,
    "of the type float": 0.01,
    "NaN": NOT_A_NUMBER,
    "of the type str": "soon",
}
FINAL: dict[str, Callable[[], BaseException]] = {
    **{
        f"TerminalError, {name}": lambda text=text: TerminalError(text, 418)
        for name, text in MESSAGES.items()
    },
    **{
        f"TerminalError, code {code!r}": lambda code=code: TerminalError("bad", code)
        for code in CODES
    },
    "TerminalError like a cancellation": lambda: TerminalError("cancelled", 409),
}
RETRIED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("poison"),
    **{
        f"ValueError, {name}": lambda text=text: ValueError(text)
        for name, text in MESSAGES.items()
    },
    **{
        f"RetryableError, {name}": lambda text=text: RetryableError(text, 418)
        for name, text in MESSAGES.items()
    },
    **{
        f"RetryableError, code {code!r}": lambda code=code: RetryableError("bad", code)
        for code in CODES
    },
    **{
        f"delay {name}": lambda delay=delay: RetryableError("busy", 429, delay)
        for name, delay in DELAYS.items()
    },
    "BaseException": lambda: OwnBaseException("panic"),
    "surrogate BaseException": lambda: OwnBaseException("\udcff"),
    "GeneratorExit": GeneratorExit,
    "SystemExit 0": lambda: SystemExit(0),
    "SystemExit 1": lambda: SystemExit(1),
    "SystemExit x": lambda: SystemExit("x"),
    "CancelledError": asyncio.CancelledError,
    "TimeoutError": TimeoutError,
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "RecursionError": endless,
    "MemoryError": MemoryError,
    "unprintable": Unprintable,
    "ExceptionGroup": lambda: ExceptionGroup("all", [ValueError("\udcff")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("all", [OwnBaseException()]),
}
ERRORS = FINAL | RETRIED


def arise(dose: Dose) -> Any:
    """Raise what is raised, or return what is a value."""
    if dose.key:
        with _ledger(dose.key).open("ab") as ledger:
            ledger.write(b".")
    if error := ERRORS.get(dose.kind):
        raise error()
    return next(of[dose.kind] for of in (*VALUES.values(), SIZES) if dose.kind in of)()


def _ledger(key: str) -> Path:
    """As the other tests have it, so that `Executions` reads it."""
    return Path(tempfile.gettempdir()) / f"parallelizework-{key}"


def was_entered(key: str) -> bool:
    """Whether the poison of that key has arisen, on this machine."""
    return _ledger(key).exists()


@cache
def _known() -> list[tuple[str, object]]:
    kinds = [(kind, make) for of in VALUES.values() for kind, make in of.items()]
    readable = [each for each in kinds if each[0] not in ("cycle", "5000 levels")]
    return [(kind, make()) for kind, make in readable]


def _is_same(value: object, known: object) -> bool:
    if type(value) is not type(known):
        return False
    may_hold_nan = type(known) in (float, dict, Vessel)  # which does not equal itself
    return value == known or (may_hold_nan and _shown(value) == _shown(known))


def _shown(value: object) -> object:
    """A value as text, or itself where it has too many digits for that."""
    try:
        return repr(value)
    except ValueError:
        return value


class Shape:
    """A type of value. A healthy value of it tells `combine` and `aggregate` a dose."""

    def __init__(self, load: Any) -> None:
        self.load = load

    def healthy(self, dose: Dose) -> Any:
        if self.load is Any:
            return dose.model_dump()
        if self.load is float:
            return float(AT.index(dose.at) * 1_000 + list(NUMBER).index(dose.kind))
        return Vessel(text=dose.model_dump_json())

    def dose(self, value: Any) -> Dose | None:
        """The dose that a healthy value tells."""
        if self.load is Any and isinstance(value, dict) and "kind" in value:
            return Dose.model_validate(value)
        if isinstance(value, float) and math.isfinite(value):
            return Dose(
                at=AT[int(value) // 1_000], kind=list(NUMBER)[int(value) % 1_000]
            )
        if isinstance(value, Vessel) and value.text.startswith("{"):
            return Dose.model_validate_json(value.text)
        return None

    def kind(self, value: object) -> str:
        """Which poison a value is, if it has come through as it was."""
        if self.dose(value):
            return "healthy"
        known = _known()
        return next((kind for kind, k in known if _is_same(value, k)), "changed")


SHAPES = {"Any": Shape(Any), "Number": Shape(float), "Model": Shape(Vessel)}


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
        told = [(each.index, each.status, each.code) for each in failures]
        report = Report(values=kinds, failures=told, reason=reason)
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
        takes = (list[load], list[Failure[self._item]], CompletionReason)
        result = tuple[Report, load | None]
        return FanOut(
            f"{self.name}{way}",
            split=typed(these.items, Task[load], list[item], is_async=is_async),
            aggregate=typed(these.report, *takes, result, is_async=is_async),
            policy=policy,
            **given,
        )


FAN_OUTS = {
    name: fan_out
    for name_of_shape, shape in SHAPES.items()
    for name, fan_out in Family(name_of_shape, shape).all().items()
}
globals().update(FAN_OUTS)  # so that `serve` finds each by its name
