"""`Definition`: a fan-out's functions and types, checked once and for all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anyio import CapacityLimiter

from parallelizework.errors import DefinitionError
from parallelizework.function import Function, accepts, item_type
from parallelizework.policy import Policy
from parallelizework.serde import Json

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
    subtask: Json[Any]
    value: Json[Any]
    result: Json[Any]


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
    threads = CapacityLimiter(max_threads)
    made = {
        role: Function(role, function, threads) if function is not None else None
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
    subtask = _items(expand) if expand else shard
    if expand:
        _check_takes(expand, expand.parameter, shard, split)
    _check_takes(execute, execute.parameter, subtask, expand or split)
    _check_takes_list(aggregate, execute)
    if combine:
        _check_takes_list(combine, execute)
        if combine.returns != execute.returns:
            raise DefinitionError(
                f"{combine.name} must give what {execute.name} gives, "
                f"{execute.returns!r}, not {combine.returns!r}"
            )
    if execute.takes_context and policy.max_items_per_batch > 1:
        raise DefinitionError(
            f"{execute.name} is handler code (it takes a restate.Context), which "
            "cannot be one step of a batch: leave max_items_per_batch at 1"
        )
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
        subtask=Json(subtask, f"a subtask of {name}", remedy=_REFERENCE, status=400),
        value=Json(execute.returns, f"a value of {name}", remedy=_REFERENCE),
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
