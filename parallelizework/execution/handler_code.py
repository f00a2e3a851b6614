"""`HandlerCode`: one invocation of `runSubtask`, for handler code of the user's own."""

from restate import Context, TerminalError

from parallelizework.attempts.attempt import missed
from parallelizework.attempts.handler_code import Misses
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.headers import name_in
from parallelizework.restate_sdk import OWN_EXCEPTIONS, is_raised_by_sdk
from parallelizework.terminal_errors import is_cancelled


class HandlerCode:
    """A subtask, executed by a function that takes the `restate.Context` itself.

    Its journal is its own, so a failed attempt cannot be in the journal. Restate would
    count attempts, but outages of the worker with them. So they are counted here.
    """

    def __init__(
        self, ctx: Context, definition: ExecuteDefinition, misses: Misses
    ) -> None:
        headers = ctx.request().headers
        self._ctx = ctx
        self._definition = definition
        self._misses = misses
        self._name = name_in(headers)
        self._policy = definition.policy_in(headers)

    async def value(self, body: bytes) -> bytes:
        """The value of the subtask, as JSON.

        Args:
            body: The subtask, as JSON.
        """
        this = self._definition
        subtask = this.subtask_json.deserialize(body)
        try:
            value = this.value_json.serialize(await this.function(self._ctx, subtask))
        except OWN_EXCEPTIONS:
            raise
        except Exception as error:
            if _is_cancellation(error):
                raise
            about = f"service={this.name} function={this.function.name} {self._name}"
            miss = missed(about.rstrip(), error)
            raise self._misses.error(self._ctx, self._policy, miss) from error
        self._misses.forget(self._ctx)
        return value


def _is_cancellation(error: Exception) -> bool:
    """Whether the invocation, or one that it called, was cancelled by somebody.

    A user's function may raise an error that only looks like it.
    """
    if not isinstance(error, TerminalError):
        return False
    return is_cancelled(error) and is_raised_by_sdk(error)
