"""`Subtask`: one invocation of `runSubtask`, for a plain function."""

from restate import Context

from parallelizework.attempts.durable import Retries
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.headers import name_in
from parallelizework.outcomes import Attempt


class Subtask:
    """A subtask, executed by a plain function with durable attempts."""

    def __init__(self, ctx: Context, definition: ExecuteDefinition) -> None:
        request = ctx.request()
        self._definition = definition
        self._key = request.id
        self._name = name_in(request.headers)
        self._policy = definition.policy_in(request.headers)
        self._retries = Retries(ctx, definition.name, self._policy)

    async def value(self, body: bytes) -> bytes:
        """The value of the subtask, as JSON.

        Args:
            body: The subtask, as JSON.

        Raises:
            TerminalError: 400, as the body is no subtask; or the error of the last
                attempt.
        """
        this = self._definition
        subtask = this.subtask_json.deserialize(body)
        value_json = this.value_json.beside(len(body), "its subtask")
        timeout = self._policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None

        async def execute(number: int) -> bytes:
            given = (subtask, Attempt(number, self._key))[: this.arity]
            return value_json.serialize(await this.function(*given, seconds=seconds))

        about = f"service={this.name} function={this.function.name} {self._name}"
        return await self._retries.value("execute", about.rstrip(), execute)
