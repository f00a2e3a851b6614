"""Internals of restate-sdk 1.3 that we need: its exceptions, and suspension."""

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
"""The SDK's own exceptions. The invocation continues in another attempt."""

CONTINUED = (*OWN_EXCEPTIONS, RetryableError)
"""All exceptions that end an attempt, but not the invocation."""

_SDK = ServerInvocationContext.__module__

# `max_attempts` is the largest number that the server accepts. A pause is at most 10 s:
# so an invocation that waits for a worker continues soon after an outage.
RETRIED_WITHOUT_END = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(seconds=10),
    max_attempts=2**31 - 1,
    on_max_attempts="pause",
)


def suspend_at_next_wait(ctx: Context) -> None:
    """Suspend the invocation at its next wait, before its inactivity timeout.

    A suspended invocation releases its invoker slot. The SDK (1.3) suspends a handler
    once the server has closed its side of the connection. The SDK has no public way to
    suspend sooner. So this function reports to the SDK's core that the server has
    closed its side.
    """
    if isinstance(ctx, ServerInvocationContext):
        ctx.vm.notify_input_closed()


def is_raised_by_sdk(error: BaseException) -> bool:
    """Whether the SDK raised an error, rather than the user's own code."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals.get("__name__") == _SDK
