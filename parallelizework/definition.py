"""`Definition`: a fan-out's functions and types, checked once and for all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isclass
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from restate import TerminalError

from parallelizework.errors import DefinitionError
from parallelizework.function import Function, accepts, item_type, options
from parallelizework.outcome import Done, Failure
from parallelizework.overrides import Overrides
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason
from parallelizework.serde import Json, list_of
from parallelizework.threads import Threads

_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_.-]*")  # restate-server 1.7
_KEPT = re.compile(r"restate.*|openapi", re.IGNORECASE)
_REFERENCE = "let it be a reference instead, such as a path or a key"


@dataclass(frozen=True)
class Definition:
    """What a fan-out is made of. See `FanOut` for the meaning of each part."""

    name: str
    policy: Policy
    split: Function
    expand: Function | None
    execute: Function
    combine: Function | None
    aggregate: Function
    task: Json[Any]
    shard: Json[Any]
    items: object
    gives_done: bool
    subtask: Json[Any]
    subtasks: Json[list[Any]]
    value: Json[Any]
    values: Json[list[Any]]
    failures: Json[list[Any]]
    result: Json[Any]

    def policy_for(self, overrides: Overrides) -> Policy:
        """The policy of a run, with what its request says.

        Raises:
            TerminalError: 400; the request says what cannot be.
        """
        if not overrides:
            return self.policy
        try:
            policy = self.policy.overridden(Policy.model_validate(overrides))
            _check_policy(self.execute, policy, self.policy)
        except (DefinitionError, ValidationError) as error:
            raise TerminalError(f"the policy of {self.name}: {error}", 400) from error
        return policy


def define(
    name: str,
    functions: dict[str, Callable[..., Any] | None],
    policy: Policy,
    max_threads: int,
) -> Definition:
    """Check the parts of a fan-out against each other.

    Raises:
        DefinitionError: One of them is missing something, or two do not fit.
    """
    threads = Threads(max_threads)
    made = {
        role: Function(role, function, threads, 3 if role == "aggregate" else 1)
        if function is not None
        else None
        for role, function in functions.items()
    }
    for function in made.values():
        if function and function.takes_context and function.role != "execute":
            raise DefinitionError(
                f"{function.name} takes a restate.Context, which only execute may: "
                "the others are steps"
            )
    split, execute, aggregate = (
        _needed(made, role) for role in ("split", "execute", "aggregate")
    )
    expand, combine = made.get("expand"), made.get("combine")
    shard = _items(split)
    items = _items(expand) if expand else shard
    subtask = _undone(items, execute, expand or split)
    if expand:
        _check_takes(expand, expand.parameter, shard, split)
    _check_takes(execute, execute.parameter, subtask, expand or split)
    _check_takes_list(aggregate, execute)
    failures = _failures(aggregate, subtask)
    if combine:
        _check_takes_list(combine, execute)
        if combine.returns != execute.returns:
            raise DefinitionError(
                f"{combine.name} must give what {execute.name} gives, "
                f"{execute.returns!r}, not {combine.returns!r}"
            )
    _check_policy(execute, policy, policy)
    return Definition(
        name=_checked_name(name),
        policy=policy,
        split=split,
        expand=expand,
        execute=execute,
        combine=combine,
        aggregate=aggregate,
        task=Json(split.parameter, f"the task of {name}", status=400),
        shard=Json(shard, f"a shard of {name}", remedy=_REFERENCE),
        items=items,
        gives_done=subtask is not items,
        subtask=Json(subtask, f"a subtask of {name}", remedy=_REFERENCE, status=400),
        subtasks=Json(list_of(subtask), f"the subtasks of {name}"),
        value=Json(execute.returns, f"a value of {name}", remedy=_REFERENCE),
        values=Json(list_of(execute.returns), f"the values of {name}"),
        failures=Json(failures, f"the failures of {name}"),
        result=Json(aggregate.returns, f"the result of {name}", remedy=_REFERENCE),
    )


def _checked_name(name: str) -> str:
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


def _needed(made: dict[str, Function | None], role: str) -> Function:
    function = made[role]
    if function is None:
        raise DefinitionError(f"{role}=None is not callable")
    return function


def _items(function: Function) -> object:
    """The type of what a function lists."""
    item = item_type(function.returns)
    if item is None:
        raise DefinitionError(
            f"{function.name} must return a list (or another iterable) of one type, "
            f"not {function.returns!r}"
        )
    return item


def _check_takes(
    function: Function, parameter: object, given: object, giver: Function
) -> None:
    if not accepts(parameter, given):
        raise DefinitionError(
            f"{function.name} takes {parameter!r}, but {giver.name} gives {given!r}"
        )


def _check_takes_list(function: Function, giver: Function) -> None:
    item = item_type(function.parameter)
    if item is None:
        raise DefinitionError(
            f"{function.name} must take a list of values, not {function.parameter!r}"
        )
    if not accepts(item, giver.returns):
        raise DefinitionError(
            f"{function.name} takes a list of {item!r}, but {giver.name} gives "
            f"{giver.returns!r}"
        )


def _undone(items: object, execute: Function, giver: Function) -> object:
    """The type of the items that are to be executed: all but `Done`."""
    kinds = options(items)
    done = [kind for kind in kinds if get_origin(kind) is Done or kind is Done]
    for kind in done:
        given = get_args(kind)
        if given and not accepts(execute.returns, given[0]):
            raise DefinitionError(
                f"{giver.name} gives {kind!r}, but {execute.name} gives "
                f"{execute.returns!r}"
            )
    rest = tuple(kind for kind in kinds if kind not in done)
    if not rest:
        raise DefinitionError(f"{giver.name} gives nothing that could be executed")
    return Union[rest] if done else items  # noqa: UP007 - known only at run time


def _failures(aggregate: Function, subtask: object) -> object:
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


def _check_policy(execute: Function, policy: Policy, served: Policy) -> None:
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
