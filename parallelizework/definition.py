"""`Definition`: a fan-out's functions and types, checked once and for all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from restate import TerminalError

from parallelizework.checks import (
    check_policy,
    check_takes,
    check_takes_attempt,
    check_takes_list,
    failures_of,
    items_of,
    undone,
)
from parallelizework.errors import DefinitionError
from parallelizework.function import Function
from parallelizework.overrides import Overrides
from parallelizework.policy import Policy
from parallelizework.serde import Json, list_of
from parallelizework.threads import Threads

_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_.-]*")  # restate-server 1.7
_KEPT = re.compile(r"restate.*|openapi", re.IGNORECASE)
_MOST = {"execute": 2, "aggregate": 3}  # values that a function may take
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
            check_policy(self.execute, policy, self.policy)
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
        role: Function(role, function, threads, _MOST.get(role, 1))
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
    shard = items_of(split)
    items = items_of(expand) if expand else shard
    subtask = undone(items, execute, expand or split)
    if expand:
        check_takes(expand, expand.parameter, shard, split)
    check_takes(execute, execute.parameter, subtask, expand or split)
    check_takes_attempt(execute)
    check_takes_list(aggregate, execute)
    failures = failures_of(aggregate, subtask)
    if combine:
        check_takes_list(combine, execute)
        if combine.returns != execute.returns:
            raise DefinitionError(
                f"{combine.name} must give what {execute.name} gives, "
                f"{execute.returns!r}, not {combine.returns!r}"
            )
    check_policy(execute, policy, policy)
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
