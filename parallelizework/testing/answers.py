"""`Answers`: answers subtasks that wait in `run_inline`, by a function of a test."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic_core import to_json
from restate import TerminalError

from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.messages import HandlerName
from parallelizework.outcomes import Event, Waiting
from parallelizework.testing.journal import Request
from parallelizework.testing.server import Invocation
from parallelizework.waiting.models import (
    ANSWERS,
    MAILBOX,
    WAIT_HEADER,
    Delivery,
    Wait,
)

Answer = Callable[[Any, Waiting[Any]], object]


class Answers:
    """Answers each subtask as soon as it waits.

    Args:
        answer: Returns the answer: a value, an `Event`, or None for no answer. It may
            raise an error: then the subtask fails.
        definitions: How the services execute subtasks, by service.
    """

    def __init__(
        self, answer: Answer, definitions: dict[str, ExecuteDefinition]
    ) -> None:
        self._answer = answer
        self._definitions = definitions

    def request(self, call: Invocation) -> Request | None:
        """Return the request that answers a call; None for no answer."""
        if call.request.handler != HandlerName.AWAIT_ANSWER:
            return None
        definition = self._definitions[call.request.service]
        subtask = definition.subtask_json.deserialize(call.request.body)
        wait = Wait.model_validate_json(dict(call.request.headers)[WAIT_HEADER])
        waiting = Waiting[Any](within=timedelta(seconds=wait.within), key=wait.event)
        try:
            answer = self._answer(subtask, waiting)
        except Exception as error:
            code = error.status_code if isinstance(error, TerminalError) else 500
            body = to_json({"message": str(error), "code": code})
            return Request(ANSWERS, "fail", body, wait.key)
        match answer:
            case None:
                return None
            case Event(data=data, id=id):
                body = Delivery(id=id, data=data).model_dump_json().encode()
                return Request(MAILBOX, "deliver", body, wait.awaited)
            case value:
                body = definition.value_json.serialize(value)
                return Request(ANSWERS, "succeed", body, wait.key)
