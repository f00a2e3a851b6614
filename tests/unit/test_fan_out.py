"""A FanOut that cannot work is refused when it is built."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydantic import BaseModel, ValidationError
from restate import Context

from parallelizework import (
    Attempt,
    Executor,
    FanOut,
    ParallelizeworkError,
    Policy,
    services,
)

from .places import without_places

if TYPE_CHECKING:
    from decimal import Decimal


class Item(BaseModel):
    name: str


class NotDescribable:
    pass


def split(task: str) -> list[Item]:
    return [Item(name=task)]


def execute(item: Item) -> int:
    return len(item.name)


def aggregate(values: list[int]) -> int:
    return sum(values)


def build(
    name: str = "Test", **functions: Callable[..., Any]
) -> FanOut[Any, Any, Any, Any]:
    three: dict[str, Any] = {
        "split": split,
        "execute": execute,
        "aggregate": aggregate,
        **functions,
    }
    return FanOut(name, **three)


async def generated(task: str) -> AsyncIterator[Item]:
    yield Item(name=task)


def lazily(task: str) -> Iterator[Item]:
    yield Item(name=task)


async def awaited(task: str) -> tuple[Item, ...]:
    return (Item(name=task),)


def promised(task: str) -> Awaitable[list[Item]]:
    return awaited_list(task)


async def awaited_list(task: str) -> list[Item]:
    return [Item(name=task)]


def with_option(task: str, limit: int = 3) -> list[Item]:
    return [Item(name=task)] * limit


class Splitter:
    def __call__(self, task: str) -> list[Item]:
        return [Item(name=task)]

    def method(self, task: str) -> list[Item]:
        return [Item(name=task)]


def configured(size: int, task: str) -> list[Item]:
    return [Item(name=task)] * size


@pytest.mark.parametrize(
    "function",
    [
        generated,
        lazily,
        awaited,
        promised,
        with_option,
        Splitter(),
        Splitter().method,
        partial(configured, 3),
    ],
)
def test_any_form_of_callable_with_hints_may_split(
    function: Callable[..., Any],
) -> None:
    fan_out = build(split=function)

    assert fan_out.definition.execute
    assert fan_out.definition.execute.subtask_json.hint is Item


def optional(item: Item | None) -> int:
    return 0 if item is None else 1


def test_execute_may_accept_a_wider_type_than_split_returns() -> None:
    assert build(execute=optional).definition.value_json.hint is int


def nothing(item: Item) -> None:
    """The result of a function that returns nothing."""


def how_many(values: list[None]) -> int:
    return len(values)


def test_execute_may_return_none() -> None:
    build(execute=nothing, aggregate=how_many)


def without_hint(task) -> list[Item]:  # type: ignore[no-untyped-def]
    return [task]


def without_return(task: str):  # type: ignore[no-untyped-def]
    return [task]


def not_a_list(task: str) -> Item:
    return Item(name=task)


def a_bare_list(task: str) -> list:  # type: ignore[type-arg]
    return [task]  # pyright: ignore[reportUnknownVariableType] - that is the mistake


def two_values(task: str, other: str) -> list[Item]:
    return [Item(name=task + other)]


def by_name(*, task: str) -> list[Item]:
    return [Item(name=task)]


def hidden(task: "Decimal") -> list[Item]:
    return [Item(name=str(task))]


def odd(task: NotDescribable) -> list[Item]:
    return [Item(name=str(task))]


def wrong_item(item: str) -> int:
    return len(item)


def code_without_async(ctx: Context, item: Item) -> int:
    return len(item.name)


def wrong_values(values: list[str]) -> int:
    return len(values)


def not_an_attempt(item: Item, number: int) -> int:
    return number


async def code_with_attempt(ctx: Context, item: Item, attempt: Attempt) -> int:
    return len(item.name)


def to_text(values: list[int]) -> str:
    return str(values)


def one_value(value: int) -> int:
    return value


MISTAKES: list[tuple[str, Any, str]] = [
    (
        "split",
        without_hint,
        "split of Test (without_hint): parameter 'task' has no type hint",
    ),
    (
        "split",
        without_return,
        "split of Test (without_return) has no type hint",
    ),
    ("split", not_a_list, "split of Test (not_a_list) must return a list"),
    ("split", a_bare_list, "split of Test (a_bare_list) must return a list"),
    (
        "split",
        two_values,
        "split of Test (two_values) must accept one value",
    ),
    ("split", by_name, "split of Test (by_name) must accept one value"),
    ("split", hidden, "split of Test (hidden): the type hint 'Decimal' is not defined"),
    ("split", odd, "the task of Test: pydantic cannot describe"),
    ("split", 3, "split of Test is 3: pass a function"),
    (
        "execute",
        wrong_item,
        "execute of Test (wrong_item) accepts str, but split of Test returns",
    ),
    ("execute", not_an_attempt, "second parameter must be an Attempt, not int"),
    ("execute", code_with_attempt, "Use ctx.request().id as idempotency key"),
    ("execute", code_without_async, "so it must be `async def`"),
    (
        "aggregate",
        wrong_values,
        "accepts a list of str, but the value of a subtask is of type int",
    ),
    (
        "aggregate",
        one_value,
        "aggregate of Test (one_value) must accept a list",
    ),
    ("expand", wrong_item, "expand of Test (wrong_item) must return a list"),
    ("expand", split, "expand of Test (split) accepts str, but split of Test returns"),
    ("combine", wrong_values, "combine of Test (wrong_values) accepts a list of str"),
    ("combine", one_value, "combine of Test (one_value) must accept a list"),
    (
        "combine",
        to_text,
        "combine of Test (to_text) must return the type of a",
    ),
    (
        "aggregate",
        sum,
        "aggregate of Test (sum): parameter 'iterable' has no",
    ),
]


@pytest.mark.parametrize(("role", "function", "complaint"), MISTAKES)
def test_a_wrong_function_is_refused_with_its_name_and_parameter(
    role: str, function: Any, complaint: str
) -> None:
    with pytest.raises(ParallelizeworkError) as refused:
        build(**{role: function})

    assert complaint in without_places(refused.value)


@pytest.mark.parametrize("name", ["", "1st", "two words", "slash/ed", "ümlaut", "-x"])
def test_a_name_that_restate_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(
        ParallelizeworkError, match="is not a valid name of a Restate service"
    ):
        build(name)


@pytest.mark.parametrize("name", ["restate", "restateThings", "openapi", "OpenAPI"])
def test_a_name_that_restate_reserves_is_refused(name: str) -> None:
    with pytest.raises(ParallelizeworkError, match="is reserved by Restate"):
        build(name)


async def code(ctx: Context, item: Item) -> int:
    return len(item.name)


def test_handler_code_cannot_be_batched() -> None:
    with pytest.raises(ParallelizeworkError, match="cannot be executed in batches"):
        FanOut(
            "Test",
            split=split,
            execute=code,
            aggregate=aggregate,
            policy=Policy(max_items_per_batch=2),
        )


@pytest.mark.parametrize(
    "limits",
    [
        {"max_concurrency": 0},
        {"max_attempts": 0},
        {"max_items_per_batch": 0},
        {"max_retries": 3},
    ],
)
def test_an_invalid_policy_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Policy(**limits)  # type: ignore[arg-type]


async def code_that_splits(ctx: Context, task: str) -> list[Item]:
    return [Item(name=task)]


def test_only_execute_may_be_handler_code() -> None:
    with pytest.raises(ParallelizeworkError, match="but only execute may"):
        build(split=code_that_splits)


def counts(item: Item) -> dict[str, list[int]]:
    return {item.name: [1]}


def of_counts(values: Sequence[dict[str, list[float]]]) -> float:
    return float(len(values))


def test_aggregate_may_accept_a_wider_nested_type() -> None:
    assert (
        build(execute=counts, aggregate=of_counts).definition.result_json.hint is float
    )


@pytest.mark.parametrize("given", [{}, {"execute": execute, "executor": "Elsewhere"}])
def test_execute_and_executor_exclude_each_other(given: Any) -> None:
    with pytest.raises(ParallelizeworkError, match="one of the two"):
        FanOut("Test", split=split, aggregate=aggregate, **given)


def test_an_executor_is_checked_as_a_fan_out_is() -> None:
    unfit = cast("Any", without_hint)

    with pytest.raises(ParallelizeworkError, match="parameter 'task' has no type hint"):
        Executor("Test", execute=unfit)
    with pytest.raises(
        ParallelizeworkError, match="is not a valid name of a Restate service"
    ):
        Executor("two words", execute=execute)


def test_progress_is_served_with_fan_outs_but_not_with_executors() -> None:
    fan_out = FanOut("Test", split=split, executor="Elsewhere", aggregate=aggregate)
    executor = Executor("Elsewhere", execute=execute)

    names = [service.name for service in fan_out.services]
    assert names == ["Test", "FanOutProgress", "FanOutRedrive", "FanOutOutcomes"]
    assert [s.name for s in executor.services] == ["Elsewhere"]
    assert len(services(fan_out, executor)) == 5
