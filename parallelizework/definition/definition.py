"""`Definition`: the functions and types of a fan-out, checked against each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from restate import TerminalError

from parallelizework.definition.checks import (
    Extra,
    check_accepts,
    check_accepts_attempt,
    check_accepts_list,
    check_carried,
    check_names,
    check_returns,
    checked_executor,
    checked_name,
    checked_threads,
    extras_of,
    items_of,
    values_of,
    without_done,
)
from parallelizework.definition.execute import (
    REFERENCE,
    ExecuteDefinition,
    overridden,
    value_json,
)
from parallelizework.definition.function import Function
from parallelizework.definition.names import SubtaskNames
from parallelizework.definition.policy_checks import check_executor_policy
from parallelizework.definition.waiting_checks import check_may_wait, without_waiting
from parallelizework.errors import DefinitionError
from parallelizework.policy import ABOUT_SUBTASKS, Overrides, Policy
from parallelizework.serde.message import JsonList, list_of
from parallelizework.serde.validated_json import Json

# The number of parameters; all other functions have one.
_MAX_VALUES = {"execute": 2, "aggregate": 4, "remind": 2, "receive": 2}
_RETURN_LISTS = {"split", "expand"}


@dataclass(frozen=True)
class Definition:
    """The checked parts of a fan-out. `FanOut` describes each of them.

    Attributes:
        extras: The parameters of `aggregate` after the values, in order.
        executor: The name of the service that executes the subtasks.
        execute: How this service executes subtasks; None if another service does.
        may_have_done: A `Done` may be among the subtasks.
        name_of: Returns the name of a subtask, as plain JSON; None without `name_of`.
        notify: The URLs of the receivers that are notified when a run has ended.
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
    may_have_done: bool
    name_of: SubtaskNames | None
    task_json: Json[Any]
    shard_json: Json[Any]
    shards_json: JsonList
    subtasks_json: JsonList
    value_json: Json[Any]
    values_json: Json[list[Any]]
    failures_json: Json[list[Any]]
    result_json: Json[Any]
    notify: tuple[str, ...] = ()

    @property
    def may_wait(self) -> bool:
        """Whether a subtask may wait for an answer. An executor's subtasks may."""
        return self.execute is None or self.execute.may_wait

    @property
    def executor_overrides(self) -> Overrides:
        """The fields of this policy that the executor must know."""
        if self.execute:
            return {}
        known = self.policy.model_fields_set.intersection(ABOUT_SUBTASKS)
        return self.policy.model_dump(mode="json", include=known)

    def policy_for(self, overrides: Overrides) -> Policy:
        """Return the policy of a run.

        Args:
            overrides: The fields of the policy that the request sets.

        Raises:
            TerminalError: 400; the request's policy is not possible.
        """
        function = self.execute.function if self.execute else None
        policy = overridden(self.name, self.policy, overrides, function)
        if message := self.why_no_stream(policy):
            raise TerminalError(message, 400)
        return policy

    def why_no_stream(self, policy: Policy) -> str | None:
        """Why the outcomes cannot be read one by one; None if they can."""
        if policy.stream and self.combine and policy.max_items_per_batch != 1:
            return (
                f"the policy of {self.name} has stream=True, but a batch combines its "
                "values: use max_items_per_batch=1"
            )
        return None


def define(
    name: str,
    functions: Mapping[str, Callable[..., Any] | None],
    policy: Policy,
    max_threads: int,
    executor: str | None = None,
) -> Definition:
    """Check the parts of a fan-out, and return them as a `Definition`.

    Args:
        name: The name of the fan-out.
        functions: The users' functions by role; None for a function that is absent.
        policy: The policy of the fan-out.
        max_threads: The number of threads for `execute`, and for the other functions.
        executor: The name of the service that executes subtasks instead of `execute`.

    Raises:
        DefinitionError: A part is missing or wrong, or two parts do not fit each other.
    """
    roles = _functions(name, functions, max_threads)
    split, aggregate = (_required(roles, r, name) for r in ("split", "aggregate"))
    execute = None if executor else _required(roles, "execute", name)
    expand, combine = roles.get("expand"), roles.get("combine")
    value = without_waiting(execute)[0] if execute else values_of(aggregate)
    shard = items_of(split)
    items = items_of(expand) if expand else shard
    subtask = without_done(items, value, expand or split)
    if expand:
        check_accepts(expand, expand.parameter, shard, split)
    if execute:
        check_accepts_attempt(execute)
        check_accepts(execute, execute.parameter, subtask, expand or split)
    check_accepts_list(aggregate, value)
    subtask_json = Json[Any](subtask, f"a subtask of {name}")
    extras = extras_of(aggregate, subtask, split.parameter)
    if combine:
        check_accepts_list(combine, value)
        check_returns(combine, value)
    executes = _executes(name, roles, policy, subtask)
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
        may_have_done=subtask is not items,
        name_of=_names(roles.get("name_of"), subtask_json, expand or split),
        task_json=Json(split.parameter, f"the task of {name}", status=400),
        shard_json=Json(shard, f"a shard of {name}", remedy=REFERENCE),
        shards_json=_list_json(shard, name),
        subtasks_json=_list_json(items, name),
        value_json=executes.value_json if executes else value_json(name, value),
        values_json=Json(list_of(value), f"the values of {name}"),
        failures_json=Json(
            extras.get("failures", list[Any]), f"the failures of {name}"
        ),
        result_json=Json(aggregate.returns, f"the result of {name}", remedy=REFERENCE),
    )
    if expand:
        check_carried(definition.shard_json)
    check_carried(subtask_json, definition.value_json, definition.result_json)
    return definition


def _list_json(item: object, name: str) -> JsonList:
    remedy = "return shards from split, and add a function expand to the fan-out"
    return JsonList(item, f"the list of subtasks of {name}", remedy=remedy)


def _names(
    name_of: Function | None, subtask_json: Json[Any], source: Function
) -> SubtaskNames | None:
    if not name_of:
        return None
    check_accepts(name_of, name_of.parameter, subtask_json.hint, source)
    check_names(name_of)
    return SubtaskNames(name_of, subtask_json)


def define_executor(
    name: str,
    functions: Mapping[str, Callable[..., Any] | None],
    policy: Policy,
    max_threads: int,
) -> ExecuteDefinition:
    """Check the parts of an executor, and return them as an `ExecuteDefinition`.

    Raises:
        DefinitionError: A part is missing or wrong.
    """
    roles = _functions(name, functions, max_threads)
    execute = _required(roles, "execute", name)
    check_accepts_attempt(execute)
    check_executor_policy(name, policy)
    executes = _executes(name, roles, policy, execute.parameter)
    assert executes, "an executor has execute"
    check_carried(executes.value_json)
    return executes


def _executes(
    name: str, roles: Mapping[str, Function | None], policy: Policy, subtask: object
) -> ExecuteDefinition | None:
    """How a service executes subtasks; None if another service does."""
    execute = roles.get("execute")
    remind, receive = roles.get("remind"), roles.get("receive")
    check_may_wait(name, execute, remind, receive)
    if execute is None:
        return None
    return ExecuteDefinition(
        name, execute, policy, subtask, remind=remind, receive=receive
    )


def _functions(
    name: str, functions: Mapping[str, Callable[..., Any] | None], max_threads: int
) -> dict[str, Function | None]:
    """The users' functions by role.

    `execute` has its own threads, so its calls cannot block the other functions.
    """
    other_threads = checked_threads(max_threads, name)
    threads = {"execute": checked_threads(max_threads, name)}
    roles = {
        role: Function(
            role,
            function,
            threads.get(role, other_threads),
            _MAX_VALUES.get(role, 1),
            lists=role in _RETURN_LISTS,
        )
        if function is not None
        else None
        for role, function in functions.items()
    }
    for function in roles.values():
        if function and function.accepts_context and function.role != "execute":
            raise DefinitionError(
                f"{function.name} accepts a restate.Context, but only execute may: all "
                "other functions are durable steps"
            )
    return roles


def _required(roles: dict[str, Function | None], role: str, owner: str) -> Function:
    function = roles[role]
    if function is None:
        raise DefinitionError(f"{role} of {owner} is None: pass a function")
    return function
