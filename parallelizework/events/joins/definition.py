"""`JoinDefinition`: the checked parts of a join."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from parallelizework.definition.checks import check_carried, checked_name
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.errors import DefinitionError
from parallelizework.events.joins.checks import (
    arguments_of,
    check_count,
    check_duration,
    check_id_of,
    check_predicate,
    check_task,
    name_of,
    task_type,
)
from parallelizework.serde.message import list_of
from parallelizework.serde.validated_json import Json

_MAX_THREADS = 64  # sync functions that run at once, in one process
_BAD_REQUEST = 400
_MAX_VALUES = {"task": 3}  # parameters; the other functions have one


@dataclass(frozen=True)
class Rules:
    """When a round ends. `Join` describes each rule.

    Attributes:
        count: The number of events that is enough; None if `until` is a function.
        within: The time from the first event to the end.
        quiet_for: The time from the last event to the end.
        retention: How long the ids of events are known.
    """

    count: int | None
    within: timedelta | None
    quiet_for: timedelta | None
    retention: timedelta


@dataclass(frozen=True)
class JoinDefinition:
    """The checked parts of a join. `Join` describes each of them.

    Attributes:
        into: The name of the fan-out.
        predicate: The function `until`, if it is one.
        arguments: What each parameter of `task` receives.
    """

    name: str
    into: str
    rules: Rules
    predicate: Function | None
    task: Function | None
    arguments: tuple[str, ...]
    id_of: Function | None
    event_json: Json[Any]
    events_json: Json[list[Any]]
    task_json: Json[Any]


def define_join(
    name: str,
    event: object,
    into: object,
    rules: Rules,
    functions: Mapping[str, Callable[..., Any] | None],
) -> JoinDefinition:
    """Check the parts of a join, and return them as a `JoinDefinition`.

    Args:
        name: The name of the join.
        event: The type of an event.
        into: The fan-out, or its name.
        rules: When a round ends.
        functions: The users' functions by role: `until`, `task` and `id_of`. None for a
            function that is absent.

    Raises:
        DefinitionError: A part is missing or wrong, or two parts do not fit each other.
    """
    checked_name(name)
    _check_rules(name, rules, functions["until"])
    event_json = Json[Any](event, f"an event of {name}", status=_BAD_REQUEST)
    check_carried(event_json)
    threads = Threads(_MAX_THREADS, name)
    roles = {
        role: Function(role, function, threads, _MAX_VALUES.get(role, 1))
        for role, function in functions.items()
        if function is not None
    }
    predicate, task, id_of = map(roles.get, ("until", "task", "id_of"))
    if predicate:
        check_predicate(predicate, event)
    if id_of:
        check_id_of(id_of, event)
    made = task.returns if task else list_of(event)
    check_task(name, task, made, task_type(into))
    return JoinDefinition(
        name=name,
        into=name_of(name, into),
        rules=rules,
        predicate=predicate,
        task=task,
        arguments=arguments_of(task, event) if task else (),
        id_of=id_of,
        event_json=event_json,
        events_json=Json(list_of(event), f"the events of {name}"),
        task_json=Json(made, f"the task of {name}"),
    )


def _check_rules(name: str, rules: Rules, predicate: Callable[..., Any] | None) -> None:
    """Check that the rules are possible, and that there is one."""
    check_count(name, rules.count)
    check_duration(name, "within", rules.within)
    check_duration(name, "quiet_for", rules.quiet_for)
    check_duration(name, "retention", rules.retention)
    if not (rules.count or predicate or rules.within or rules.quiet_for):
        raise DefinitionError(
            f"{name} would never start a run: pass until, within or quiet_for"
        )
