"""`Definition`: a fan-out's functions and types, checked once and for all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parallelizework.definition.checks import (
    Extra,
    check_carried,
    check_executor_policy,
    check_gives,
    check_takes,
    check_takes_list,
    checked_executor,
    checked_name,
    checked_threads,
    extras_of,
    items_of,
    undone,
    values_of,
)
from parallelizework.definition.function import Function
from parallelizework.errors import DefinitionError
from parallelizework.execution.execution import (
    REFERENCE,
    Execution,
    overridden,
    value_json,
)
from parallelizework.overrides import Overrides
from parallelizework.policy import ABOUT_SUBTASKS, Policy
from parallelizework.serde import Json, list_of

_MOST = {"execute": 2, "aggregate": 4}  # values that a function may take
_LISTING = {"split", "expand"}  # what they return is a list, or becomes one


@dataclass(frozen=True)
class Definition:
    """What a fan-out is made of. See `FanOut` for the meaning of each part.

    Attributes:
        executor: The service that executes the subtasks.
        execution: How this one does; None where that is another one.
        extras: What `aggregate` takes after the values, in its order.
    """

    name: str
    policy: Policy
    split: Function
    expand: Function | None
    combine: Function | None
    aggregate: Function
    extras: tuple[Extra, ...]
    executor: str
    execution: Execution | None
    task: Json[Any]
    shard: Json[Any]
    items: object
    gives_done: bool
    value: Json[Any]
    values: Json[list[Any]]
    failures: Json[list[Any]]
    result: Json[Any]

    @property
    def said(self) -> Overrides:
        """What another service needs to be told about the attempts at a subtask."""
        if self.execution:
            return {}
        said = self.policy.model_fields_set.intersection(ABOUT_SUBTASKS)
        return self.policy.model_dump(mode="json", include=said)

    def policy_for(self, overrides: Overrides) -> Policy:
        """The policy of a run, with what its request says.

        Raises:
            TerminalError: 400; the request says what cannot be.
        """
        execute = self.execution.execute if self.execution else None
        return overridden(self.name, self.policy, overrides, execute)


def define(
    name: str,
    functions: Mapping[str, Callable[..., Any] | None],
    policy: Policy,
    max_threads: int,
    executor: str | None = None,
) -> Definition:
    """Check the parts of a fan-out against each other.

    Raises:
        DefinitionError: One of them is missing something, or two do not fit.
    """
    made = _made(name, functions, max_threads)
    split, aggregate = (_needed(made, role) for role in ("split", "aggregate"))
    execute = None if executor else _needed(made, "execute")
    expand, combine = made.get("expand"), made.get("combine")
    value = execute.returns if execute else values_of(aggregate)
    shard = items_of(split)
    items = items_of(expand) if expand else shard
    subtask = undone(items, value, expand or split)
    if expand:
        check_takes(expand, expand.parameter, shard, split)
    if execute:
        check_takes(execute, execute.parameter, subtask, expand or split)
    check_takes_list(aggregate, value)
    extras = extras_of(aggregate, subtask, split.parameter)
    if combine:
        check_takes_list(combine, value)
        check_gives(combine, value)
    execution = Execution(name, execute, policy, subtask) if execute else None
    definition = Definition(
        name=checked_name(name),
        policy=policy,
        split=split,
        expand=expand,
        combine=combine,
        aggregate=aggregate,
        extras=tuple(extras),
        executor=checked_executor(executor, name) if executor else name,
        execution=execution,
        task=Json(split.parameter, f"the task of {name}", status=400),
        shard=Json(shard, f"a shard of {name}", remedy=REFERENCE),
        items=items,
        gives_done=subtask is not items,
        value=execution.value if execution else value_json(name, value),
        values=Json(list_of(value), f"the values of {name}"),
        failures=Json(extras.get("failures", list[Any]), f"the failures of {name}"),
        result=Json(aggregate.returns, f"the result of {name}", remedy=REFERENCE),
    )
    _check(definition, subtask)
    return definition


def _check(this: Definition, subtask: object) -> None:
    if this.expand:
        check_carried(this.shard)
    subtasks = Json[Any](subtask, f"a subtask of {this.name}")
    check_carried(subtasks, this.value, this.result)


def executes(
    name: str, function: Callable[..., Any], policy: Policy, max_threads: int
) -> Execution:
    """Check what an executor is made of.

    Raises:
        DefinitionError: Something is missing, or does not fit.
    """
    made = _made(name, {"execute": function}, max_threads)
    execute = _needed(made, "execute")
    check_executor_policy(name, policy)
    execution = Execution(name, execute, policy, execute.parameter)
    check_carried(execution.value)
    return execution


def _made(
    name: str, functions: Mapping[str, Callable[..., Any] | None], max_threads: int
) -> dict[str, Function | None]:
    others = checked_threads(max_threads, name)  # so that no `execute` starves them
    threads = {"execute": checked_threads(max_threads, name)}
    made = {
        role: Function(
            role,
            function,
            threads.get(role, others),
            _MOST.get(role, 1),
            lists=role in _LISTING,
        )
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
    return made


def _needed(made: dict[str, Function | None], role: str) -> Function:
    function = made[role]
    if function is None:
        raise DefinitionError(f"{role}=None is not callable")
    return function
