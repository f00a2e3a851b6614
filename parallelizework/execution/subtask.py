"""`SubtaskHandler`: the handler `runSubtask`, for a plain function."""

from restate import Context

from parallelizework.attempts.durable import Retries
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.outcomes import Attempt


class SubtaskHandler:
    """Executes subtasks by a plain function, with durable attempts."""

    def __init__(self, definition: ExecuteDefinition) -> None:
        self._definition = definition

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        this, key = self._definition, ctx.request().id
        subtask, policy = this.accept(body, ctx.request().headers)
        timeout = policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None

        async def execute(number: int) -> bytes:
            given = (subtask,) if this.arity == 1 else (subtask, Attempt(number, key))
            value = await this.function(*given, seconds=seconds)
            return this.value_json.serialize(value, len(body), "its subtask")

        return await Retries(ctx, this.name, policy).value(this.function, execute)
