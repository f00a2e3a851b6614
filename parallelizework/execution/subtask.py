"""`SubtaskHandler`: the handler `runSubtask`, for a plain function."""

from restate import Context

from parallelizework.attempts.durable import Retries
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.outcomes import Attempt


class SubtaskHandler:
    """Executes subtasks by a plain function."""

    def __init__(self, definition: ExecuteDefinition) -> None:
        self._definition = definition

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        definition, key = self._definition, ctx.request().id
        subtask, policy = definition.accept(body, ctx.request().headers)
        timeout = policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None

        async def execute(number: int) -> bytes:
            arguments = (subtask, Attempt(number, key))[: definition.arity]
            value = await definition.function(*arguments, seconds=seconds)
            return definition.value_json.serialize(value, len(body), "its subtask")

        retries = Retries(ctx, definition.name, policy)
        return await retries.answer(definition.function, execute)
