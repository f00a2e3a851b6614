"""Checks of an `execute` that may return `Waiting`, and of `remind` and `receive`."""

from typing import Union, get_args, get_origin

from parallelizework.definition.function import Function
from parallelizework.definition.type_hints import accepts, options
from parallelizework.errors import DefinitionError
from parallelizework.outcomes import Event, Reminder, Waiting
from parallelizework.serde.type_names import type_names


def without_waiting(execute: Function) -> tuple[object, bool]:
    """Return the type of the values of `execute`, and whether `execute` may wait.

    Raises:
        DefinitionError: `Waiting` is not possible here, or has no type or another one.
    """
    kinds = options(execute.returns)
    waiting = [kind for kind in kinds if kind is Waiting or get_origin(kind) is Waiting]
    if not waiting:
        return execute.returns, False
    if execute.accepts_context:
        raise DefinitionError(
            f"{execute.name} is handler code (it accepts a restate.Context), so it "
            "cannot return Waiting: wait for ctx.awakeable() instead"
        )
    values = tuple(kind for kind in kinds if kind not in waiting)
    awaited = [each for kind in waiting for each in get_args(kind)]
    if len(awaited) != len(waiting):
        raise DefinitionError(
            f"{execute.name} returns Waiting without a type: write Waiting[Receipt], "
            "with the type of the answer"
        )
    value = Union[values or tuple(awaited)]  # noqa: UP007 - known only at run time
    for each in awaited:
        if not accepts(value, each):
            expected, other = type_names(value, each)
            raise DefinitionError(
                f"{execute.name} returns Waiting[{other}], but its other values are of "
                f"type {expected}: change one of the two hints"
            )
    return value, True


def check_remind(remind: Function, subtask: object) -> None:
    """Check that `remind` accepts a subtask and a `Reminder`.

    Raises:
        DefinitionError: `remind` has other parameters.
    """
    _check_parameters(remind, subtask, Reminder)


def check_receive(receive: Function, subtask: object, value: object) -> None:
    """Check that `receive` accepts a subtask and an `Event`, and returns a value.

    Raises:
        DefinitionError: `receive` has other parameters, or another return type.
    """
    _check_parameters(receive, subtask, Event)
    if not accepts(value, receive.returns):
        expected, returned = type_names(value, receive.returns)
        raise DefinitionError(
            f"{receive.name} must return the type of a subtask's value, {expected}, "
            f"not {returned}"
        )


def _check_parameters(function: Function, subtask: object, second: type) -> None:
    if len(function.parameters) != 2 or not accepts(function.parameters[1], second):  # noqa: PLR2004 - a subtask, and `second`
        raise DefinitionError(
            f"{function.name} must accept two values: a subtask and "
            f"a parallelizework.{second.__name__}"
        )
    if not accepts(function.parameter, subtask):
        accepted, given = type_names(function.parameter, subtask)
        raise DefinitionError(
            f"{function.name} accepts {accepted}, but a subtask is of type {given}: "
            "change one of the two hints"
        )


def check_may_wait(
    owner: str, execute: Function | None, *others: Function | None
) -> None:
    """Check that `execute` may wait, if its owner has `remind` or `receive`.

    Raises:
        DefinitionError: `execute` cannot wait, or an executor has it.
    """
    role = next((other.role for other in others if other), None)
    if role and not (execute and without_waiting(execute)[1]):
        raise DefinitionError(
            f"{owner} has {role}, but its execute never waits: add Waiting[...] to the "
            f"return hint of execute, or remove {role}. If an executor executes the "
            f"subtasks, pass {role} to the Executor"
        )
