"""`HandlerCodeHandler`: the handler `runSubtask`, for a user's handler code."""

from restate import Context, TerminalError

from parallelizework.attempts.attempt import about, missed
from parallelizework.attempts.attempt_counter import AttemptCounter
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.restate_sdk import OWN_EXCEPTIONS, is_raised_by_sdk
from parallelizework.terminal_errors import is_cancelled


class HandlerCodeHandler:
    """Executes subtasks by a function that takes the `restate.Context` itself.

    The journal is the function's own, so a failed attempt cannot be in there. Restate
    would count attempts, but outages of the worker with them. So they are counted here.
    """

    def __init__(self, definition: ExecuteDefinition) -> None:
        self._definition = definition
        self._counter = AttemptCounter()

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        this = self._definition
        subtask, policy = this.accept(body, ctx.request().headers)
        try:
            value = this.value_json.serialize(await this.function(ctx, subtask))
        except OWN_EXCEPTIONS:
            raise
        except Exception as error:
            if _is_cancellation(error):
                raise
            miss = missed(about(ctx, this.name, this.function), error)
            raise self._counter.error(ctx, policy, miss) from error
        self._counter.forget(ctx)
        return value


def _is_cancellation(error: Exception) -> bool:
    """Whether the invocation, or one that it called, was cancelled by somebody.

    A user's function may raise an error that only looks like it.
    """
    if not isinstance(error, TerminalError):
        return False
    return is_cancelled(error) and is_raised_by_sdk(error)
