"""`observed_handler`: a handler of one subtask that calls the observers at its end."""

from restate import Context, TerminalError

from parallelizework.observation.observer import subtask_ended
from parallelizework.serde.json_handler import JsonHandler
from parallelizework.terminal_errors import fault_of
from parallelizework.waiting.models import is_wait


def observed_handler(
    service: str, handler: JsonHandler, *, has_waited: bool = False
) -> JsonHandler:
    """Return a handler that also calls the observers when its subtask has ended.

    Args:
        service: The name of the service.
        handler: The handler.
        has_waited: Whether the subtask waited for an answer before.
    """

    async def observed(ctx: Context, body: bytes) -> bytes:
        try:
            answer = await handler(ctx, body)
        except TerminalError as error:
            subtask_ended(service, fault_of(error).status, has_waited=has_waited)
            raise
        status = "waiting" if is_wait(answer) else "succeeded"
        subtask_ended(service, status, has_waited=has_waited)
        return answer

    observed.__doc__ = handler.__doc__
    return observed
