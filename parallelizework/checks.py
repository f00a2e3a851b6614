"""Checks: whether the functions and the policy of a fan-out fit each other."""

import re
from inspect import isclass
from typing import Any, Union, get_args, get_origin

from parallelizework.attempts import Attempt
from parallelizework.errors import DefinitionError
from parallelizework.function import Function
from parallelizework.hints import accepts, item_type, options
from parallelizework.outcome import Done, Failure
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason

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
    item = item_type(function.parameter)
    if item is None:
        raise DefinitionError(
            f"{function.name} must take a list of values, not {function.parameter!r}"
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


def failures_of(aggregate: Function, subtask: object) -> object:
    """The type in which `aggregate` takes failures."""
    more = aggregate.parameters[1:]
    if more and not _is_failure_of(subtask, item_type(more[0])):
        raise DefinitionError(
            f"{aggregate.name} must take its failures as list[Failure] of "
            f"{subtask!r}, not {more[0]!r}"
        )
    if more[1:] and not _is_subclass(CompletionReason, more[1]):
        raise DefinitionError(
            f"{aggregate.name} must take its reason as CompletionReason, not "
            f"{more[1]!r}"
        )
    return more[0] if more else list[Any]


def check_policy(execute: Function, policy: Policy, served: Policy) -> None:
    """Refuse what cannot be done with a function, or cannot differ per request."""
    if policy.max_items_per_batch > 1 and execute.takes_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it takes a restate.Context), which "
            "cannot be one step of a batch: leave max_items_per_batch at 1"
        )
    if policy.attempt_timeout and execute.takes_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it takes a restate.Context), whose "
            "attempts have no timeout: use subtask_timeout"
        )
    if policy.max_items_per_batch > 1 and policy.on_exhausted == "pause":
        raise DefinitionError(
            "on_exhausted='pause' would execute a whole batch again when it is "
            "resumed: leave max_items_per_batch at 1"
        )
    theirs = execute.takes_context or "pause" in (
        policy.on_exhausted,
        served.on_exhausted,
    )
    if theirs and policy.retry() != served.retry():
        raise DefinitionError(
            "Restate itself retries handler code, and what is to be paused: how, "
            f"cannot differ from the definition's {served.retry()}"
        )


def _is_failure_of(subtask: object, kind: object) -> bool:
    if not _is_subclass(kind, Failure):
        return False
    given = getattr(kind, "__pydantic_generic_metadata__", {}).get("args", ())
    return not given or accepts(given[0], subtask)


def _is_subclass(kind: object, of: object) -> bool:
    return isclass(kind) and isclass(of) and issubclass(kind, of)
