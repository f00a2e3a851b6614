"""Checks of a definition: whether the functions of a fan-out fit each other."""

import re
from inspect import isclass
from typing import Any, Literal, Union, get_args, get_origin

from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.definition.type_hints import accepts, item_type, options
from parallelizework.errors import DefinitionError
from parallelizework.outcomes import Attempt, CompletionReason, Done, Failure
from parallelizework.serde.schema import bytes_in
from parallelizework.serde.type_names import type_name, type_names
from parallelizework.serde.validated_json import Json

Extra = Literal["failures", "reason", "task"]

_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_.-]*")  # restate-server 1.7
_RESERVED = re.compile(r"restate.*|openapi", re.IGNORECASE)


def checked_name(name: str) -> str:
    """Return a name if Restate accepts it as the name of a service."""
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"name={name!r} is not a valid name of a Restate service: use a letter, "
            "then letters, digits, '_', '.' or '-'"
        )
    if _RESERVED.fullmatch(name):
        raise DefinitionError(
            f"name={name!r} is reserved by Restate: choose a name that is not "
            "'openapi' and does not begin with 'restate'"
        )
    return name


def checked_executor(executor: str, fan_out: str) -> str:
    """Return the name of an executor if it differs from the fan-out's name."""
    if executor == fan_out:
        raise DefinitionError(
            f"executor={executor!r} is the name of the fan-out itself: use a different "
            "name for the Executor"
        )
    return checked_name(executor)


def checked_threads(max_threads: int, name: str) -> Threads:
    """Return threads for the sync functions of a service: at least one."""
    if max_threads < 1:
        raise DefinitionError(f"max_threads={max_threads} is too small: use at least 1")
    return Threads(max_threads, name)


def items_of(function: Function) -> object:
    """Return the type of the items that a function returns."""
    item = item_type(function.returns)
    if item is None:
        raise DefinitionError(
            f"{function.name} must return a list (or another iterable) of one type, "
            f"not {type_name(function.returns)}"
        )
    return item


def check_accepts(
    function: Function, parameter: object, item: object, source: Function
) -> None:
    """Check that a function accepts the items that another function returns."""
    if not accepts(parameter, item):
        accepted, returned = type_names(parameter, item)
        raise DefinitionError(
            f"{function.name} accepts {accepted}, but {source.name} returns items of "
            f"type {returned}: change one of the two hints"
        )


def check_accepts_attempt(execute: Function) -> None:
    """Check that the second parameter of `execute` is the `Attempt`."""
    more = execute.parameters[1:]
    if more and execute.accepts_context:
        raise DefinitionError(
            f"{execute.name} is handler code: it may accept only a restate.Context and "
            f"a subtask, not {type_name(more[0])}. Use ctx.request().id as idempotency "
            "key"
        )
    if more and not _is_subclass(Attempt, more[0]):
        raise DefinitionError(
            f"{execute.name}: the second parameter must be an Attempt, not "
            f"{type_name(more[0])}"
        )


def values_of(function: Function) -> object:
    """Return the item type of the list of values that a function accepts."""
    hint = function.parameter
    item = item_type(hint)
    if item is None or not _is_subclass(list, get_origin(hint)):
        raise DefinitionError(
            f"{function.name} must accept a list of values, not {type_name(hint)}"
        )
    return item


def check_accepts_list(function: Function, value: object) -> None:
    """Check that a function accepts a list of the subtasks' values."""
    item = values_of(function)
    if not accepts(item, value):
        accepted, returned = type_names(item, value)
        raise DefinitionError(
            f"{function.name} accepts a list of {accepted}, but the value of a subtask "
            f"is of type {returned}: change one of the two hints"
        )


def check_returns(combine: Function, value: object) -> None:
    """Check that `combine` returns the type of the subtasks' values."""
    if combine.returns != value:
        expected, returned = type_names(value, combine.returns)
        raise DefinitionError(
            f"{combine.name} must return the type of a subtask's value, {expected}, "
            f"not {returned}"
        )


def check_names(name_of: Function) -> None:
    """Check that `name_of` is a sync function that returns a text."""
    if name_of.is_async:
        raise DefinitionError(
            f"{name_of.name} is async, but coordinators call it directly: use `def`"
        )
    if name_of.returns is not str:
        raise DefinitionError(
            f"{name_of.name} must return a str, not {type_name(name_of.returns)}"
        )


def without_done(items: object, value: object, source: Function) -> object:
    """Return the type of the items that are executed: all except `Done`.

    Args:
        items: The type of all items.
        value: The type of the subtasks' values, which a `Done` must have too.
        source: The function that returns the items.
    """
    kinds = options(items)
    done = [kind for kind in kinds if get_origin(kind) is Done or kind is Done]
    for kind in done:
        known = get_args(kind)
        if known and not accepts(value, known[0]):
            raise DefinitionError(
                f"{source.name} returns {type_name(kind)}, but the value of the other "
                f"subtasks is of type {type_name(value)}: change one of the two hints"
            )
    executed = tuple(kind for kind in kinds if kind not in done)
    if not executed:
        raise DefinitionError(
            f"{source.name} returns only Done, so no subtask could be executed: add "
            "the type of a subtask to the hint"
        )
    return Union[executed] if done else items  # noqa: UP007 - known only at run time


def extras_of(
    aggregate: Function, subtask: object, task: object
) -> dict[Extra, object]:
    """Return the parameters of `aggregate` after the values, with their type hints.

    The type hint alone decides what a parameter receives. Its name and its position do
    not matter.
    """
    extras: dict[Extra, object] = {}
    hints = zip(aggregate.names[1:], aggregate.parameters[1:], strict=True)
    for name, hint in hints:
        extra = _extra(f"{aggregate.name}: parameter {name!r}", hint, task)
        if extra in extras:
            raise DefinitionError(
                f"{aggregate.name}: parameter {name!r} of type {type_name(hint)} is "
                f"the {extra}, but another parameter is the {extra} too: remove one of "
                "the two"
            )
        extras[extra] = hint
    if "failures" in extras:
        _check_failures(aggregate, extras["failures"], subtask)
    return extras


def _extra(parameter: str, hint: object, task: object) -> Extra:
    is_failures = _is_subclass(item_type(hint), Failure)
    is_any = hint is Any or hint is object  # such a hint does not identify the task
    is_task = hint == task or (not is_any and accepts(hint, task))
    match [is_failures, hint is CompletionReason, is_task]:
        case [True, False, False]:
            return "failures"
        case [False, True, False]:
            return "reason"
        case [False, False, True]:
            return "task"
        case [False, False, False]:
            raise DefinitionError(
                f"{parameter} of type {type_name(hint)} is unknown: after the values, "
                "aggregate may accept list[Failure], CompletionReason and the task "
                f"({type_name(task)})"
            )
        case _:
            raise DefinitionError(
                f"{parameter} of type {type_name(hint)} could also be the task: use "
                "another type for the task, such as a model with one field"
            )


def _check_failures(aggregate: Function, hint: object, subtask: object) -> None:
    failed = getattr(item_type(hint), "__pydantic_generic_metadata__", {}).get("args")
    if failed and not accepts(failed[0], subtask):
        expected, accepted = type_names(subtask, failed[0])
        raise DefinitionError(
            f"{aggregate.name} must accept list[Failure[{expected}]], not "
            f"list[Failure[{accepted}]]"
        )


def check_carried(*types: Json[Any]) -> None:
    """Check that JSON can carry all values of some types."""
    for each in types:
        if problem := bytes_in(each.written):
            raise DefinitionError(f"{each.part}: {problem}")


def _is_subclass(kind: object, base: object) -> bool:
    return isclass(kind) and isclass(base) and issubclass(kind, base)
