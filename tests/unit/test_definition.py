"""The definitions that a FanOut or an Executor accepts and refuses."""

import math
from collections.abc import Callable, ItemsView, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, NamedTuple, assert_type

import pytest
from pydantic import (
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from parallelizework import (
    CompletionReason,
    Executor,
    Failure,
    FanOut,
    ParallelizeworkError,
    Policy,
    services,
)
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.messages import Outcomes

from .places import without_places


class Task(BaseModel):
    count: int


class Sheet(BaseModel):
    total: int


def split(task: Task) -> list[str]:
    return ["a"] * task.count


def execute(item: str) -> int:
    return len(item)


def values_only(values: list[int]) -> Sheet:
    return Sheet(total=sum(values))


def build(name: str = "Test", **parts: Any) -> FanOut[Any, Any, Any, Any]:
    if "executor" not in parts:
        parts = {"execute": execute, **parts}
    parts = {"split": split, "aggregate": values_only, **parts}
    return FanOut(name, **parts)


def with_task(values: list[int], task: Task) -> Sheet:
    return Sheet(total=sum(values) + task.count)


def with_failures_and_task(
    values: list[int], failures: list[Failure[str]], task: Task
) -> Sheet:
    return with_task([*values, len(failures)], task)


async def with_all(
    values: list[int],
    failures: list[Failure[str]],
    reason: CompletionReason,
    task: Task,
) -> Sheet:
    return with_failures_and_task(values, failures, task)


def in_another_order(
    values: list[int],
    task: Task,
    reason: CompletionReason,
    failures: list[Failure[str]],
) -> Sheet:
    return with_failures_and_task(values, failures, task)


def with_any_model(values: list[int], given: BaseModel) -> Sheet:
    return Sheet(total=sum(values))


def test_the_types_of_a_fan_out_are_those_of_its_functions() -> None:
    """As pyright sees them, which checks this file."""
    plain = FanOut("A", split=split, execute=execute, aggregate=values_only)
    tasked = FanOut("B", split=split, execute=execute, aggregate=with_task)
    more = FanOut("C", split=split, execute=execute, aggregate=with_failures_and_task)
    most = FanOut("D", split=split, executor="E", aggregate=with_all)

    for fan_out in (plain, tasked, more, most):
        assert_type(fan_out, FanOut[Task, str, int, Sheet])


@pytest.mark.parametrize(
    ("aggregate", "extras"),
    [
        (values_only, ()),
        (with_task, ("task",)),
        (with_any_model, ("task",)),
        (with_failures_and_task, ("failures", "task")),
        (with_all, ("failures", "reason", "task")),
        (in_another_order, ("task", "reason", "failures")),
    ],
)
def test_further_parameters_of_aggregate_are_recognized_by_their_hints(
    aggregate: Callable[..., Any], extras: tuple[str, ...]
) -> None:
    assert build(aggregate=aggregate).definition.extras == extras


def with_anything(values: list[int], extra: Any) -> int:
    return len(values)


def with_text(values: list[int], reason: str) -> int:
    return len(values)


def with_two_tasks(values: list[int], task: Task, again: Task) -> int:
    return len(values)


def with_other_failures(values: list[int], failures: list[Failure[Task]]) -> int:
    return len(values)


def with_a_reason(values: list[int], reason: CompletionReason) -> int:
    return len(values)


def reasons(task: CompletionReason) -> list[str]:
    return [task]


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        (
            {"aggregate": with_anything},
            "aggregate of Test (with_anything): parameter 'extra' of type Any is",
        ),
        (
            {"aggregate": with_text},
            "aggregate of Test (with_text): parameter 'reason' of type str is unknown",
        ),
        (
            {"aggregate": with_two_tasks},
            "parameter 'again' of type Task is the task,",
        ),
        (
            {"aggregate": with_other_failures},
            "must accept list[Failure[str]], not list[Failure[",
        ),
        (
            {"aggregate": with_a_reason, "split": reasons},
            "parameter 'reason' of type CompletionReason could also be the task",
        ),
    ],
)
def test_an_unclear_hint_of_aggregate_is_refused(
    parts: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ParallelizeworkError) as refused:
        build(**parts)

    assert complaint in without_places(refused.value)


def pairs(task: Task) -> ItemsView[str, int]:
    return {"a": task.count}.items()


def of_a_tuple(values: tuple[int, ...]) -> int:
    return len(values)


def of_an_iterator(values: Iterator[int]) -> int:
    return next(values)


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"split": pairs}, "split of Test (pairs) must return a list"),
        (
            {"aggregate": of_a_tuple},
            "aggregate of Test (of_a_tuple) must accept a list",
        ),
        ({"aggregate": of_an_iterator}, "must accept a list"),
    ],
)
def test_a_hint_of_an_unsupported_collection_is_refused(
    parts: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ParallelizeworkError) as refused:
        build(**parts)

    assert complaint in without_places(refused.value)


async def test_only_the_result_of_a_function_with_lists_is_made_a_list() -> None:
    def many(count: int) -> tuple[int, ...]:
        return tuple(range(count))

    lists = Function("split", many, Threads(1), lists=True)
    gives = Function("execute", many, Threads(1))

    assert await lists(2) == [0, 1]
    assert await gives(2) == (0, 1)


class Photo(BaseModel):
    data: bytes


class Album(BaseModel):
    photos: dict[str, Photo] = {}


@dataclass
class Pixel:
    raw: bytes


class Named(NamedTuple):
    raw: bytes


class Encoded(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    data: bytes


class Hex(BaseModel):
    data: Annotated[bytes, PlainSerializer(bytes.hex, return_type=str)]
    format: str = Field(default="binary", examples=[{"format": "binary"}])


def giving(hint: Any) -> Callable[..., Any]:
    def gives(item: str) -> Any:
        raise NotImplementedError

    gives.__annotations__["return"] = hint
    return gives


def taking(hint: Any) -> Callable[..., Any]:
    def takes(values: Any) -> int:
        raise NotImplementedError

    takes.__annotations__["values"] = hint
    return takes


def carrying(hint: Any) -> FanOut[Any, Any, Any, Any]:
    return build(execute=giving(hint), aggregate=taking(list[hint]))


@pytest.mark.parametrize(
    ("hint", "where"),
    [
        (bytes, "it is bytes"),
        (dict[str, list[bytes]], "it is bytes"),
        (Photo, "'data' is bytes"),
        (Album, "'Photo.data' is bytes"),
        (Pixel | None, "'Pixel.raw' is bytes"),
        (Named, "it is bytes"),
    ],
)
def test_bytes_that_may_not_be_text_are_refused(hint: Any, where: str) -> None:
    with pytest.raises(ParallelizeworkError) as refused:
        carrying(hint)

    assert f"a value of Test: {where}, but JSON cannot carry" in str(refused.value)
    assert "use pydantic.Base64Bytes" in str(refused.value)


@pytest.mark.parametrize("hint", [Base64Bytes, Encoded, list[Encoded], Hex])
def test_bytes_that_are_encoded_as_text_are_accepted(hint: Any) -> None:
    carrying(hint)


def test_an_executor_with_types_that_json_cannot_represent_is_refused() -> None:
    with pytest.raises(ParallelizeworkError, match="a value of Test: it is bytes"):
        Executor("Test", execute=giving(bytes))


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"executor": "Test"}, "executor='Test' is the name of the fan-out itself"),
        ({"max_threads": 0}, "max_threads=0 is too small: use at least 1"),
        ({"executor": "Other", "max_threads": -1}, "max_threads=-1 is too small"),
    ],
)
def test_a_definition_that_would_hang_is_refused(
    parts: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ParallelizeworkError) as refused:
        build(**parts)

    assert complaint in without_places(refused.value)


@pytest.mark.parametrize(
    "policy",
    [Policy(subtask_timeout=timedelta(1)), Policy(max_concurrency=3), Policy.quorum(1)],
)
def test_an_executor_refuses_policy_fields_of_the_fan_out(policy: Policy) -> None:
    with pytest.raises(ParallelizeworkError) as refused:
        Executor("Test", execute=execute, policy=policy)

    [name] = policy.model_fields_set
    assert f"executor Test sets {name}: set this in the policy of the fan-out" in str(
        refused.value
    )


def test_the_first_pause_is_no_longer_than_the_longest() -> None:
    minute = timedelta(minutes=1)

    assert Policy().max_retry_interval == timedelta(seconds=30)
    assert Policy(initial_retry_interval=minute).max_retry_interval == minute
    with pytest.raises(ValidationError, match="is longer than max_retry_interval"):
        Policy(initial_retry_interval=minute, max_retry_interval=timedelta(seconds=3))
    with pytest.raises(ValidationError, match="greater than"):
        Policy.model_validate({"initial_retry_interval": -1})


def test_a_wrong_field_of_a_policy_is_the_only_error() -> None:
    with pytest.raises(ValidationError) as refused:
        Policy(max_concurrency=0)

    [error] = refused.value.errors()
    assert error["loc"] == ("max_concurrency",)


def test_a_default_pause_is_not_a_field_that_is_set() -> None:
    minute = timedelta(minutes=1)
    policy = Policy(initial_retry_interval=minute)

    assert policy.model_fields_set == {"initial_retry_interval"}
    longer = policy.overridden(Policy(initial_retry_interval=2 * minute))
    assert longer.max_retry_interval == 2 * minute
    shorter = policy.overridden(Policy(initial_retry_interval=minute / 60))
    assert shorter.max_retry_interval == minute / 2


def test_a_fan_out_shows_its_name() -> None:
    assert repr(build(name="Sheets")) == "FanOut('Sheets')"
    assert repr(Executor("Words", execute=execute)) == "Executor('Words')"


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(ParallelizeworkError, match="named 'Test'"):
        services(build(), Executor("Other", execute=execute), build())
    with pytest.raises(ParallelizeworkError, match="named 'FanOutProgress'"):
        services(build(name="FanOutProgress"))


def test_nan_in_a_failed_subtask_stays_nan() -> None:
    failure = Failure[Any](
        index=0, subtask={"x": math.nan}, status="failed", message="no", code=500
    )

    sent = Outcomes(failures=[failure]).model_dump_json()
    received = Outcomes.model_validate_json(sent)

    assert math.isnan(received.failures[0].subtask["x"])
