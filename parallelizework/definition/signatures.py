"""The types of the functions that users write.

They are for type checkers. At run time, `Function` reads the hints of each function.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TypeAlias, TypeVar

from restate import Context

from parallelizework.outcomes import (
    Attempt,
    CompletionReason,
    Event,
    Failure,
    Reminder,
    Waiting,
)

Task = TypeVar("Task")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")

SplitFunction = (  # `split` and `expand`
    Callable[[Task], Awaitable[Iterable[Subtask]]]
    | Callable[[Task], AsyncIterable[Subtask]]
    | Callable[[Task], Iterable[Subtask]]
)
ExecuteFunction = (
    Callable[[Context, Subtask], Awaitable[Value]]
    | Callable[[Subtask], Awaitable[Value | Waiting[Value]]]
    | Callable[[Subtask, Attempt], Awaitable[Value | Waiting[Value]]]
    | Callable[[Subtask], Value | Waiting[Value]]
    | Callable[[Subtask, Attempt], Value | Waiting[Value]]
)
RemindFunction = (
    Callable[[Subtask, Reminder], Awaitable[None]] | Callable[[Subtask, Reminder], None]
)
ReceiveFunction = (
    Callable[[Subtask, Event], Awaitable[Value]] | Callable[[Subtask, Event], Value]
)
CombineFunction = (
    Callable[[list[Value]], Awaitable[Result]] | Callable[[list[Value]], Result]
)
# `aggregate` accepts the values, then any of: failures, reason, task. The forms here
# have the usual order; a `FanOut` accepts any order.
# The alias is a string, because typing cannot replace a type variable inside
# `list[Failure[Subtask]]`, where `Failure` is a pydantic model.
AggregateFunction: TypeAlias = """(
    CombineFunction[Value, Result]
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
