"""`name_of` gives each subtask a short name: in headers, failures and logs."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from restate import TerminalError

from parallelizework import Attempt, Executor, Failure, FanOut, Policy
from parallelizework.completion import Rule
from parallelizework.coordination.calls import SliceCall, SubtaskCall
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.planning.pace import Pace
from parallelizework.errors import DefinitionError
from parallelizework.headers import SUBTASK_HEADER, SubtaskId, short_name
from parallelizework.messages import Slice
from parallelizework.progress.labels import with_labels
from parallelizework.testing import run_inline

from .test_labels import VALID

ALL_SETTLED = Policy(tolerated_failure_percentage=100)
BATCHES = Policy(tolerated_failure_percentage=100, max_items_per_batch=2)
AT_DEADLINE = Policy(
    deadline=timedelta(seconds=1),
    on_deadline="answer",
    tolerated_failure_percentage=100,
)


class Photo(BaseModel):
    file: str


def split(count: int) -> list[Photo]:
    return [Photo(file=f"{number}.jpg") for number in range(count)]


def execute(photo: Photo) -> str:
    if photo.file == "1.jpg":
        raise TerminalError("it is broken", 422)
    return photo.file


def aggregate(values: list[str], failures: list[Failure[Photo]]) -> list[str | None]:
    return [failure.name for failure in failures]


def name_of(photo: Photo) -> str:
    return photo.file


def build(**parts: Any) -> FanOut[int, Photo, str, list[str | None]]:
    if "executor" not in parts:
        parts = {"execute": execute, **parts}
    parts = {"split": split, "aggregate": aggregate, "name_of": name_of, **parts}
    return FanOut("Photos", **parts)


@pytest.mark.parametrize("policy", [ALL_SETTLED, BATCHES])
def test_a_failure_has_the_name_of_its_subtask(policy: Policy) -> None:
    run = run_inline(build(policy=policy), 3)

    assert run.result == ["1.jpg"]
    assert [failure.name for failure in run.failures] == ["1.jpg"]
    assert str(run.failures[0]).startswith("subtask 1 (1.jpg) failed: it is broken (")


@pytest.mark.parametrize("policy", [ALL_SETTLED, BATCHES])
def test_the_fan_out_names_the_subtasks_of_an_executor(policy: Policy) -> None:
    executor = Executor("Shrinker", execute=execute)

    run = run_inline(build(executor="Shrinker", policy=policy), 3, executors=[executor])

    assert run.result == ["1.jpg"]


def test_subtasks_without_an_outcome_at_the_deadline_have_names() -> None:
    async def slow(photo: Photo, attempt: Attempt) -> str:
        await asyncio.sleep(60)
        return photo.file

    run = run_inline(build(execute=slow, policy=AT_DEADLINE), 2)

    assert run.result == ["0.jpg", "1.jpg"]


def test_the_subtasks_of_a_shard_have_names() -> None:
    def shards(count: int) -> list[int]:
        return [count] * 2

    run = run_inline(build(split=shards, expand=split, policy=ALL_SETTLED), 2)

    assert run.result == ["1.jpg", "1.jpg"]
    assert {call.index for call in run.calls} >= {(0, 1), (1, 1)}


@pytest.mark.parametrize("policy", [ALL_SETTLED, BATCHES])
def test_log_lines_have_the_name(
    policy: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    run_inline(build(policy=policy), 3)

    assert "index=1 name=1.jpg attempt=1: it is broken" in caplog.text


def test_a_name_may_look_like_other_fields() -> None:
    def tricky(photo: Photo) -> str:
        return "x index=7 shard=3 name=y"

    run = run_inline(build(name_of=tricky, policy=ALL_SETTLED), 3)

    assert run.result == ["x index=7 shard=3 name=y"]
    assert {call.index for call in run.calls} >= {0, 1, 2}
    assert 7 not in {call.index for call in run.calls}


def raising(photo: Photo) -> str:
    raise KeyError(photo.file)


def returning_another_type(photo: Photo) -> str:
    return 7  # type: ignore[return-value]


def leaving(photo: Photo) -> str:
    raise SystemExit(photo.file)


@pytest.mark.parametrize("function", [raising, returning_another_type, leaving])
def test_an_error_of_name_of_is_logged_once_and_the_subtask_has_no_name(
    function: Callable[[Photo], str], caplog: pytest.LogCaptureFixture
) -> None:
    fan_out = build(name_of=function, policy=ALL_SETTLED)

    with caplog.at_level(logging.WARNING):
        runs = [run_inline(fan_out, 3) for _ in range(2)]

    assert [run.result for run in runs] == [[None], [None]]
    assert caplog.text.count("no name for a subtask: name_of of Photos") == 1


def test_without_name_of_the_messages_are_the_same_as_before() -> None:
    fan_out = build(name_of=None)
    header = SUBTASK_HEADER, "run=inv_1 index=0"
    slice_ = Slice[Any](run="inv_1", slots=2, items=[{"file": "a"}, {"file": "b"}])
    dispatch = SubtaskDispatch(fan_out.definition)

    single = next(dispatch.calls(slice_, Policy(), Pace()).calls)
    batch = next(dispatch.calls(slice_, BATCHES, Pace()).calls)

    assert isinstance(single, SubtaskCall)
    assert list(single.headers.items()) == [header]
    assert isinstance(batch, SliceCall)
    assert b"name" not in batch.body("inv_1", 2, Rule())
    failed = Failure[str](status="failed", message="", code=500, index=0, subtask="a")
    assert "name" not in failed.model_dump()


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("a", "a"),
        (" two\twords\n", "two words"),
        ("a\x1b[31mb", "a [31mb"),
        ("café 東京", "café 東京"),
        ("\ud800", None),
        ("", None),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 77 + "..."),
    ],
)
def test_a_name_is_one_short_printable_line(name: str, short: str | None) -> None:
    assert short_name(name) == short


@pytest.mark.parametrize(
    "subtask",
    [
        SubtaskId("inv_1", 17),
        SubtaskId("", 0, 3),
        SubtaskId("inv_1", 17, 0, "a b"),
        SubtaskId("inv_1", 17, None, "index=3"),
        SubtaskId(with_labels("inv_1", {"tenant": "acme"}), 17, None, "a index=3"),
        SubtaskId(with_labels("inv_1", {"a": 'x" index=3', "b": "\\"}), 17, 2),
    ],
)
def test_a_subtask_id_can_be_read_again(subtask: SubtaskId) -> None:
    assert SubtaskId.read(str(subtask)) == subtask


@given(VALID, st.text(), st.none() | st.integers(min_value=0))
def test_no_label_and_no_name_hides_the_index_of_a_subtask(
    labels: dict[str, str], name: str, shard: int | None
) -> None:
    subtask = SubtaskId(with_labels("inv_1", labels), 17, shard, short_name(name))

    assert SubtaskId.read(str(subtask)) == subtask


@pytest.mark.parametrize("text", ["", "index=1", "run=a index=x", "run=a index=1x"])
def test_another_text_is_no_subtask_id(text: str) -> None:
    assert SubtaskId.read(text) is None


async def async_name(photo: Photo) -> str:
    return photo.file


def of_text(photo: str) -> str:
    return photo


def of_number(photo: Photo) -> int:
    return 1


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (async_name, "is async, but coordinators call it directly: use `def`"),
        (of_text, r"name_of of Photos .*accepts str, but split .* of type Photo"),
        (of_number, "must return a str, not int"),
        (str.lower, "has no type hint"),
        ("file", "name_of of Photos is 'file': pass a function"),
    ],
)
def test_a_name_of_that_does_not_fit_is_refused(function: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        build(name_of=function)
