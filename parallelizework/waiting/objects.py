"""The virtual objects that a worker needs if its subtasks may wait."""

from collections.abc import Iterable

from restate import VirtualObject

from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.waiting.answers import answers_object
from parallelizework.waiting.mailbox import mailbox_object


def waiting_objects(
    definitions: Iterable[ExecuteDefinition], *, delivers_events: bool = False
) -> list[VirtualObject]:
    """Return `FanOutAnswers` and `FanOutMailbox`, if the worker needs them.

    Args:
        definitions: How the services of the worker execute subtasks.
        delivers_events: Whether a service delivers events to subtasks that wait.
    """
    waiting = [definition for definition in definitions if definition.may_wait]
    answers = [answers_object(waiting)] if waiting else []
    return [*answers, mailbox_object()] if waiting or delivers_events else []
