"""Checks of a join: whether its functions fit its events and its fan-out."""

from datetime import timedelta

from parallelizework.definition.checks import checked_name
from parallelizework.definition.definition import Definition
from parallelizework.definition.function import Function
from parallelizework.definition.type_hints import accepts
from parallelizework.errors import DefinitionError
from parallelizework.events.joins.models import MAX_EVENTS, JoinReason
from parallelizework.serde.message import list_of
from parallelizework.serde.type_names import type_name, type_names

_LONGEST = timedelta(days=3_650)


def check_count(name: str, count: object) -> None:
    """Check the number of events that ends a round."""
    if count is None:
        return
    is_bool = isinstance(count, bool)
    if is_bool or not isinstance(count, int) or not 0 < count <= MAX_EVENTS:
        raise DefinitionError(
            f"until={count!r} of {name}: use a number from 1 to {MAX_EVENTS:,}, or a "
            "function"
        )


def check_duration(name: str, part: str, duration: timedelta | None) -> None:
    """Check a duration."""
    if duration is not None and not timedelta(0) < duration <= _LONGEST:
        raise DefinitionError(
            f"{part}={duration} of {name}: use more than 0 and at most 3650 days"
        )


def check_predicate(predicate: Function, event: object) -> None:
    """Check that `until` accepts the events, and returns a bool."""
    _check_no_context(predicate)
    events = list_of(event)
    if not accepts(predicate.parameter, events):
        accepted, passed = type_names(predicate.parameter, events)
        raise DefinitionError(
            f"{predicate.name} must accept {passed}, not {accepted}: change the hint"
        )
    if predicate.returns is not bool:
        raise DefinitionError(
            f"{predicate.name} must return a bool, not {type_name(predicate.returns)}"
        )


def name_of(name: str, into: object) -> str:
    """Return the name of the fan-out."""
    if definition := _definition_of(into):
        return definition.name
    if isinstance(into, str):
        return checked_name(into)
    raise DefinitionError(f"into of {name} is {into!r}: pass a FanOut, or its name")


def task_type(into: object) -> object | None:
    """Return the type of the task of the fan-out; None if only its name is known."""
    definition = _definition_of(into)
    return definition.task_json.hint if definition else None


def _definition_of(into: object) -> Definition | None:
    definition = getattr(into, "definition", None)
    return definition if isinstance(definition, Definition) else None


def check_task(
    name: str, function: Function | None, made: object, accepted: object | None
) -> None:
    """Check that the fan-out accepts the task."""
    if function:
        _check_no_context(function)
    if accepted is None or accepts(accepted, made):
        return
    expected, passed = type_names(accepted, made)
    if function:
        raise DefinitionError(
            f"{function.name} returns {passed}, but the task of the fan-out is "
            f"{expected}: change one of the two hints"
        )
    raise DefinitionError(
        f"the task of the fan-out of {name} is {expected}, not {passed}: pass a "
        "function task, which makes the task from the events"
    )


def arguments_of(function: Function, event: object) -> tuple[str, ...]:
    """Return what each parameter of `task` receives. Its type hint decides."""
    found: list[str] = []
    hints = zip(function.names, function.parameters, strict=True)
    for name, hint in hints:
        if hint is str:
            found.append("key")
        elif hint is JoinReason:
            found.append("reason")
        elif accepts(hint, list_of(event)):
            found.append("events")
        else:
            raise DefinitionError(
                f"{function.name}: parameter {name!r} of type {type_name(hint)} is "
                f"unknown: task may accept the key (str), the events "
                f"({type_name(list_of(event))}) and the JoinReason"
            )
    if len(set(found)) < len(found):
        raise DefinitionError(
            f"{function.name} has two parameters of the same type: remove one of them"
        )
    return tuple(found)


def check_id_of(function: Function, event: object) -> None:
    """Check that `id_of` is sync, accepts an event, and returns a text."""
    _check_no_context(function)
    if not accepts(function.parameter, event):
        accepted, passed = type_names(function.parameter, event)
        raise DefinitionError(
            f"{function.name} must accept {passed}, not {accepted}: change the hint"
        )
    if function.is_async or function.returns is not str:
        raise DefinitionError(f"{function.name} must be `def`, and return a str")


def _check_no_context(function: Function) -> None:
    if function.accepts_context:
        raise DefinitionError(
            f"{function.name} accepts a restate.Context, but it is a durable step: "
            "remove the context"
        )
