"""The types of the functions that users write."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TypeAlias, TypeVar

from restate import Context

from parallelizework.outcomes import Attempt, CompletionReason, Failure

Task = TypeVar("Task")
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
# The forms in the usual order; a `FanOut` accepts any order.
Aggregates: TypeAlias = """(
    Folds[Value, Result]
    | Callable[[list[Value], list[Failure[Subtask]]], Awaitable[Result]]
    | Callable[[list[Value], list[Failure[Subtask]]], Result]
    | Callable[[list[Value], CompletionReason], Awaitable[Result]]
    | Callable[[list[Value], CompletionReason], Result]
    | Callable[[list[Value], Task], Awaitable[Result]]
    | Callable[[list[Value], Task], Result]
    | Callable[
        [list[Value], list[Failure[Subtask]], CompletionReason], Awaitable[Result]
    ]
    | Callable[[list[Value], list[Failure[Subtask]], CompletionReason], Result]
    | Callable[[list[Value], list[Failure[Subtask]], Task], Awaitable[Result]]
    | Callable[[list[Value], list[Failure[Subtask]], Task], Result]
    | Callable[[list[Value], CompletionReason, Task], Awaitable[Result]]
    | Callable[[list[Value], CompletionReason, Task], Result]
    | Callable[
        [list[Value], list[Failure[Subtask]], CompletionReason, Task],
        Awaitable[Result],
    ]
    | Callable[[list[Value], list[Failure[Subtask]], CompletionReason, Task], Result]
)"""
