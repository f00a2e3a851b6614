"""`HandlerCodeHandler`: the handler `runSubtask`, for a user's handler code."""

from restate import Context, TerminalError

from parallelizework.attempts.attempt import about, failed_attempt, name_of
from parallelizework.attempts.handler_code_attempts import HandlerCodeAttempts
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.restate_sdk import OWN_EXCEPTIONS, is_raised_by_sdk
from parallelizework.terminal_errors import is_cancelled


class HandlerCodeHandler:
    """Executes subtasks by a function that takes the `restate.Context` itself.

    The journal is the function's own, so a failed attempt cannot be in there. Restate
    would count outages of the worker as attempts too. So failed attempts are counted in
    this process.
    """

    def __init__(self, definition: ExecuteDefinition) -> None:
        self._definition = definition
        self._attempts = HandlerCodeAttempts()

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
            failed = failed_attempt(
                about(this.name, this.function, name_of(ctx)), error
            )
            raise self._attempts.count_failure(ctx, policy, failed) from error
        self._attempts.forget(ctx)
        return value


def _is_cancellation(error: Exception) -> bool:
    """Whether the invocation, or one that it called, was cancelled by somebody.

    A user's function may raise an error that only looks like it.
    """
    if not isinstance(error, TerminalError):
        return False
    return is_cancelled(error) and is_raised_by_sdk(error)
