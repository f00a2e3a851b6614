"""`Definition`: a fan-out's functions and types, checked once and for all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parallelizework.definition.checks import (
    Extra,
    check_carried,
    check_gives,
    check_takes,
    check_takes_attempt,
    check_takes_list,
    checked_executor,
    checked_name,
    checked_threads,
    extras_of,
    items_of,
    undone,
    values_of,
)
from parallelizework.definition.execute import (
    REFERENCE,
    ExecuteDefinition,
    overridden,
    value_json,
)
from parallelizework.definition.function import Function
from parallelizework.definition.policy_checks import check_executor_policy
from parallelizework.errors import DefinitionError
from parallelizework.policy import ABOUT_SUBTASKS, Overrides, Policy
from parallelizework.serde.message import JsonList, list_of
from parallelizework.serde.validated_json import Json

_MOST = {"execute": 2, "aggregate": 4}  # values that a function may take
_LISTING = {"split", "expand"}  # what they return is a list, or becomes one


@dataclass(frozen=True)
class Definition:
    """What a fan-out is made of. See `FanOut` for the meaning of each part.

    Attributes:
        executor: The service that executes the subtasks.
        execute: How this service does; None where another service is the executor.
        gives_done: There may be a `Done` among the subtasks.
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
    execute: ExecuteDefinition | None
    gives_done: bool
    task_json: Json[Any]
    shard_json: Json[Any]
    shards_json: JsonList
    subtasks_json: JsonList
    value_json: Json[Any]
    values_json: Json[list[Any]]
    failures_json: Json[list[Any]]
    result_json: Json[Any]

    @property
    def executor_overrides(self) -> Overrides:
        """What the executor has to know of this policy."""
        if self.execute:
            return {}
        said = self.policy.model_fields_set.intersection(ABOUT_SUBTASKS)
        return self.policy.model_dump(mode="json", include=said)

    def policy_for(self, overrides: Overrides) -> Policy:
        """The policy of a run, with what its request says.

        Raises:
            TerminalError: 400; the request says what cannot be.
        """
        function = self.execute.function if self.execute else None
        return overridden(self.name, self.policy, overrides, function)


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
        check_takes_attempt(execute)
        check_takes(execute, execute.parameter, subtask, expand or split)
    check_takes_list(aggregate, value)
    extras = extras_of(aggregate, subtask, split.parameter)
    if combine:
        check_takes_list(combine, value)
        check_gives(combine, value)
    executes = ExecuteDefinition(name, execute, policy, subtask) if execute else None
    definition = Definition(
        name=checked_name(name),
        policy=policy,
        split=split,
        expand=expand,
        combine=combine,
        aggregate=aggregate,
        extras=tuple(extras),
        executor=checked_executor(executor, name) if executor else name,
        execute=executes,
        gives_done=subtask is not items,
        task_json=Json(split.parameter, f"the task of {name}", status=400),
        shard_json=Json(shard, f"a shard of {name}", remedy=REFERENCE),
        shards_json=_listed(shard, name),
        subtasks_json=_listed(items, name),
        value_json=executes.value_json if executes else value_json(name, value),
        values_json=Json(list_of(value), f"the values of {name}"),
        failures_json=Json(
            extras.get("failures", list[Any]), f"the failures of {name}"
        ),
        result_json=Json(aggregate.returns, f"the result of {name}", remedy=REFERENCE),
    )
    _check(definition, subtask)
    return definition


def _listed(item: object, name: str) -> JsonList:
    remedy = "split into shards, and expand each where it is executed"
    return JsonList(item, f"the list of subtasks of {name}", remedy=remedy)


def _check(this: Definition, subtask: object) -> None:
    if this.expand:
        check_carried(this.shard_json)
    subtasks = Json[Any](subtask, f"a subtask of {this.name}")
    check_carried(subtasks, this.value_json, this.result_json)


def define_executor(
    name: str, function: Callable[..., Any], policy: Policy, max_threads: int
) -> ExecuteDefinition:
    """Check what an executor is made of.

    Raises:
        DefinitionError: Something is missing, or does not fit.
    """
    made = _made(name, {"execute": function}, max_threads)
    execute = _needed(made, "execute")
    check_takes_attempt(execute)
    check_executor_policy(name, policy)
    executes = ExecuteDefinition(name, execute, policy, execute.parameter)
    check_carried(executes.value_json)
    return executes


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
