"""`HandlerCodeHandler`: the handler `runSubtask`, for a user's handler code."""

from restate import Context, TerminalError

from parallelizework.attempts.attempt import end_with_error, observed_attempt
from parallelizework.attempts.handler_code_attempts import HandlerCodeAttempts
from parallelizework.attempts.time_left import within_time_left
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.observation.observer import observed
from parallelizework.restate_sdk import OWN_EXCEPTIONS, is_raised_by_sdk
from parallelizework.terminal_errors import is_cancelled


class HandlerCodeHandler:
    """Executes subtasks by a function that accepts the `restate.Context`.

    The commands in the journal are the function's own, so the journal cannot record
    failed attempts. Restate's own count would include outages of the worker. So this
    process counts the failed attempts, except with `on_exhausted="pause"`: there
    Restate counts, because only Restate can pause the invocation.
    """

    def __init__(self, definition: ExecuteDefinition) -> None:
        self._definition = definition
        self._attempts = HandlerCodeAttempts()

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask.

        Args:
            ctx: The context of the invocation.
            body: The subtask as JSON.

        Returns:
            The value as JSON.

        Raises:
            TerminalError: The subtask failed.
            RetryableError: The attempt failed, and another one follows.
        """
        definition, function = self._definition, self._definition.function
        subtask, policy = definition.accept(body, ctx.request().headers)
        number = self._attempts.number(ctx)
        attempt = observed_attempt(ctx, definition.name, function, number)
        with observed(attempt):
            try:
                value = await within_time_left(lambda: function(ctx, subtask))
                answer = definition.serialize(value)
            except OWN_EXCEPTIONS:
                attempt.status = "suspended"
                raise
            except Exception as error:
                if _is_cancellation(error):
                    raise
                failed = end_with_error(attempt, error)
                raise self._attempts.count_failure(ctx, policy, failed) from error
            attempt.status = "succeeded"
        self._attempts.forget(ctx)
        return answer


def _is_cancellation(error: Exception) -> bool:
    """Whether somebody cancelled the invocation, or one that it called.

    A user's function may raise an error with the same status and message. So the error
    must also come from the SDK.
    """
    if not isinstance(error, TerminalError):
        return False
    return is_cancelled(error) and is_raised_by_sdk(error)
