"""The virtual objects that a worker needs if its subtasks may wait."""

from collections.abc import Iterable

from restate import VirtualObject

from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.waiting.answers import answers_object
from parallelizework.waiting.mailbox import mailbox_object


def waiting_objects(definitions: Iterable[ExecuteDefinition]) -> list[VirtualObject]:
    """Return `FanOutAnswers` and `FanOutMailbox`; none if no subtask may wait.

    Args:
        definitions: How the services of the worker execute subtasks.
    """
    waiting = [definition for definition in definitions if definition.may_wait]
    return [answers_object(waiting), mailbox_object()] if waiting else []
