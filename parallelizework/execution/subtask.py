"""`SubtaskHandler`: the handler `runSubtask`, for a plain function."""

from typing import Any

from restate import Context, TerminalError

from parallelizework.attempts.retries import Retries, fresh
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.outcomes import Attempt, Waiting
from parallelizework.waiting.models import Wait, answer_key


class SubtaskHandler:
    """Executes subtasks by a plain function."""

    def __init__(self, definition: ExecuteDefinition) -> None:
        self._definition = definition

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask.

        Args:
            ctx: The context of the invocation.
            body: The subtask as JSON.

        Returns:
            The value as JSON; or the `Wait` of a subtask that waits.

        Raises:
            TerminalError: The subtask failed.
        """
        definition = self._definition
        key = answer_key(definition.name, ctx.request().id)
        subtask, policy = definition.accept(body, ctx.request().headers)
        timeout = policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None

        subtasks = fresh(subtask, lambda: definition.subtask_json.deserialize(body))

        async def execute(number: int) -> bytes:
            arguments = (next(subtasks), Attempt(number, key))[: definition.arity]
            value = await definition.function(*arguments, seconds=seconds)
            if definition.may_wait and isinstance(value, Waiting):
                return _wait(definition, value, key)  # pyright: ignore[reportUnknownArgumentType] - of any type
            return definition.serialize(value, len(body), "its subtask")

        retries = Retries(ctx, definition.name, policy)
        return await retries.answer(definition.function, execute)


def _wait(definition: ExecuteDefinition, waiting: Waiting[Any], key: str) -> bytes:
    """The answer of a subtask that waits.

    Raises:
        TerminalError: Nobody could be reminded.
    """
    if waiting.remind_every and not definition.remind:
        raise TerminalError(
            f"{definition.function.name} returned a Waiting with remind_every, but "
            f"{definition.name} has no remind: add remind=... to it",
            500,
        )
    return Wait.of(waiting, key).as_answer()
