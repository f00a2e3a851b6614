"""Checks: whether the functions of a fan-out fit each other."""

import re
from inspect import isclass
from typing import Any, Literal, Union, get_args, get_origin

from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.definition.type_hints import accepts, item_type, options
from parallelizework.errors import DefinitionError
from parallelizework.outcomes import Attempt, CompletionReason, Done, Failure
from parallelizework.serde.schema import bytes_in
from parallelizework.serde.validated_json import Json

Extra = Literal["failures", "reason", "task"]

_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_.-]*")  # restate-server 1.7
_KEPT = re.compile(r"restate.*|openapi", re.IGNORECASE)


def checked_name(name: str) -> str:
    """A name that Restate takes for a service."""
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


def checked_executor(executor: str, fan_out: str) -> str:
    """The name of a service other than the fan-out's own."""
    if executor == fan_out:
        raise DefinitionError(
            f"executor={executor!r} is the name of the fan-out itself: give the "
            "Executor a name of its own"
        )
    return checked_name(executor)


def checked_threads(most: int, name: str) -> Threads:
    """Threads for the sync functions of `name`, of which there is one at least."""
    if most < 1:
        raise DefinitionError(f"max_threads={most} is less than the one that is needed")
    return Threads(most, name)


def items_of(function: Function) -> object:
    """The type of what a function lists."""
    item = item_type(function.returns)
    if item is None:
        raise DefinitionError(
            f"{function.name} must return a list (or another iterable) of one type, "
            f"not {function.returns!r}"
        )
    return item


def check_takes(
    function: Function, parameter: object, given: object, giver: Function
) -> None:
    """See that a function takes what another gives."""
    if not accepts(parameter, given):
        raise DefinitionError(
            f"{function.name} takes {parameter!r}, but {giver.name} gives {given!r}"
        )


def check_takes_attempt(execute: Function) -> None:
    """See that what `execute` takes beside the subtask is the attempt."""
    more = execute.parameters[1:]
    if more and execute.takes_context:
        raise DefinitionError(
            f"{execute.name} is handler code, which takes a restate.Context and a "
            f"subtask, not {more[0]!r} too: its key is ctx.request().id"
        )
    if more and not _is_subclass(Attempt, more[0]):
        raise DefinitionError(
            f"{execute.name} may take an Attempt beside the subtask, not {more[0]!r}"
        )


def values_of(function: Function) -> object:
    """The type of the values of which a function takes a list."""
    hint = function.parameter
    item = item_type(hint)
    if item is None or not _is_subclass(list, get_origin(hint)):
        raise DefinitionError(
            f"{function.name} must take a list of values, not {hint!r}"
        )
    return item


def check_takes_list(function: Function, value: object) -> None:
    """See that a function takes a list of what the subtasks give."""
    item = values_of(function)
    if not accepts(item, value):
        raise DefinitionError(
            f"{function.name} takes a list of {item!r}, but the value of a subtask is "
            f"{value!r}"
        )


def check_gives(combine: Function, value: object) -> None:
    """See that `combine` gives what the subtasks give."""
    if combine.returns != value:
        raise DefinitionError(
            f"{combine.name} must give what a subtask gives, {value!r}, not "
            f"{combine.returns!r}"
        )


def undone(items: object, value: object, giver: Function) -> object:
    """The type of the items that are to be executed: all but `Done` of a value."""
    kinds = options(items)
    done = [kind for kind in kinds if get_origin(kind) is Done or kind is Done]
    for kind in done:
        given = get_args(kind)
        if given and not accepts(value, given[0]):
            raise DefinitionError(
                f"{giver.name} gives {kind!r}, but a value of the others is {value!r}"
            )
    rest = tuple(kind for kind in kinds if kind not in done)
    if not rest:
        raise DefinitionError(f"{giver.name} gives nothing that could be executed")
    return Union[rest] if done else items  # noqa: UP007 - known only at run time


def extras_of(
    aggregate: Function, subtask: object, task: object
) -> dict[Extra, object]:
    """What `aggregate` takes after the values, in its order, with the type hints.

    A hint alone says what a parameter is: its name does not matter, nor its position.
    """
    extras: dict[Extra, object] = {}
    hints = zip(aggregate.names[1:], aggregate.parameters[1:], strict=True)
    for name, hint in hints:
        extra = _extra(f"{aggregate.name}: parameter {name!r}", hint, task)
        if extra in extras:
            raise DefinitionError(
                f"{aggregate.name}: parameter {name!r} of {hint!r} is the {extra}, "
                "which another parameter is already"
            )
        extras[extra] = hint
    if "failures" in extras:
        _check_failures(aggregate, extras["failures"], subtask)
    return extras


def _extra(parameter: str, hint: object, task: object) -> Extra:
    is_failures = _is_subclass(item_type(hint), Failure)
    is_any = hint is Any or hint is object  # such a hint says nothing
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
                f"{parameter} of {hint!r} is nothing that aggregate may take after the "
                f"values: list[Failure], CompletionReason, or the task ({task!r})"
            )
        case _:
            raise DefinitionError(
                f"{parameter} of {hint!r} could be the task as well: let the task be "
                "another type, such as a model with one field"
            )


def _check_failures(aggregate: Function, hint: object, subtask: object) -> None:
    given = getattr(item_type(hint), "__pydantic_generic_metadata__", {}).get("args")
    if given and not accepts(given[0], subtask):
        raise DefinitionError(
            f"{aggregate.name} must take its failures as list[Failure] of "
            f"{subtask!r}, not {hint!r}"
        )


def check_carried(*types: Json[Any]) -> None:
    """See that JSON carries each value of some types."""
    for each in types:
        if fault := bytes_in(each.written):
            raise DefinitionError(f"{each.part}: {fault}")


def _is_subclass(kind: object, of: object) -> bool:
    return isclass(kind) and isclass(of) and issubclass(kind, of)
