"""`started` and `check_fan_out`: messages to fan-outs, which may not exist.

The server refuses a message to a service that no worker serves, and Restate would retry
the sender without end. So these messages are sent by `start` and `probe`. Their
invocations end after a few attempts, and the schedule itself continues.
"""

from datetime import timedelta

from restate import (
    InvocationRetryPolicy,
    ObjectContext,
    ObjectSharedContext,
    TerminalError,
)

from parallelizework.messages import HandlerName
from parallelizework.progress.labels import labels_headers
from parallelizework.schedules.models import LABEL, NAME, UNKNOWN_FAN_OUT, Start
from parallelizework.serde.message import Message
from parallelizework.terminal_errors import is_cancelled, is_lost

_start_json = Message[Start](Start, "the start of a run")

TRIED_BRIEFLY = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    max_attempts=3,
    on_max_attempts="kill",
)

_BAD_REQUEST, _UNAVAILABLE = 400, 503
_NOT_SERVED = "was not found"  # restate-server 1.7, for an unknown service or handler
_NEVER = timedelta(days=1)  # the run of `probe` is cancelled long before
_PAUSE = timedelta(seconds=1)


async def start(ctx: ObjectSharedContext, body: bytes) -> bytes:
    """Start a run; return its id."""
    request = _start_json.deserialize(body)
    sent = ctx.generic_send(
        request.fan_out,
        HandlerName.RUN,
        request.task.encode(),
        idempotency_key=request.key,
        headers=labels_headers({LABEL: ctx.key()}),
    )
    return (await sent.invocation_id()).encode()


async def probe(ctx: ObjectSharedContext, fan_out: bytes) -> bytes:
    """Check that a worker serves a fan-out. The message itself is cancelled at once."""
    sent = ctx.generic_send(
        fan_out.decode(), HandlerName.RUN, b"null", send_delay=_NEVER
    )
    await sent.cancel_invocation()
    return b""


async def started(ctx: ObjectContext, request: Start) -> str:
    """Start a run; return its id.

    An outage of the worker may end `start` too, before or after the run has started. So
    `start` is called again: with the same idempotency key, the run is the same.

    Raises:
        TerminalError: 400; no worker serves the fan-out.
    """
    body = _start_json.serialize(request)
    while True:
        try:
            return (await ctx.generic_call(NAME, "start", body, key=ctx.key())).decode()
        except TerminalError as error:
            if _NOT_SERVED in error.message:
                raise _unknown(request.fan_out) from error
            if is_cancelled(error) and not is_lost(error):
                raise
        await ctx.sleep(_PAUSE)


async def check_fan_out(ctx: ObjectContext | ObjectSharedContext, fan_out: str) -> None:
    """Check that a worker serves a fan-out.

    Raises:
        TerminalError: 400; no worker serves it. 503; the check failed.
    """
    try:
        await ctx.generic_call(NAME, "probe", fan_out.encode(), key=ctx.key())
    except TerminalError as error:
        if _NOT_SERVED in error.message:
            raise _unknown(fan_out) from error
        raise TerminalError(
            f"{fan_out} could not be checked, try again: {error.message}", _UNAVAILABLE
        ) from error


def _unknown(fan_out: str) -> TerminalError:
    return TerminalError(
        f"{UNKNOWN_FAN_OUT} {fan_out!r}: correct the name, or register its worker",
        _BAD_REQUEST,
    )
