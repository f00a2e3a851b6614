"""What is restate-sdk's own: its exceptions, and what it has no public name for."""

from datetime import timedelta
from typing import cast

from restate import Context, InvocationRetryPolicy
from restate.exceptions import RetryableError, SdkInternalBaseException
from restate.server_context import DisconnectedException, ServerInvocationContext
from restate.vm import VMException  # pyright: ignore[reportUnknownVariableType] - its core is compiled

OWN_EXCEPTIONS = (
    SdkInternalBaseException,
    DisconnectedException,
    cast("type[Exception]", VMException),
)
"""How the SDK ends an attempt at an invocation that restate-server will continue."""

CONTINUED = (*OWN_EXCEPTIONS, RetryableError)
"""All that ends an attempt, but not the invocation."""

_SDK = ServerInvocationContext.__module__

# The most that the server takes. A pause grows to 10 s, so what waits for a worker
# continues soon after an outage.
RETRIED_WITHOUT_END = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(seconds=10),
    max_attempts=2**31 - 1,
    on_max_attempts="pause",
)


def suspend_at_next_wait(ctx: Context) -> None:
    """Give the invoker slot back at the next wait, whatever the inactivity timeout is.

    The SDK (1.3) suspends once the server has closed its side of the connection. It has
    no public way to say that the handler wants to be suspended sooner.
    """
    if isinstance(ctx, ServerInvocationContext):
        ctx.vm.notify_input_closed()


def is_raised_by_sdk(error: BaseException) -> bool:
    """Whether the SDK raised an error, rather than the user's own code."""
    found = error.__traceback__
    while found and found.tb_next:
        found = found.tb_next
    return found is not None and found.tb_frame.f_globals.get("__name__") == _SDK
