"""How we use restate-sdk 1.3: exceptions, suspension, cancelling, virtual objects."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar, cast

from restate import Context, InvocationRetryPolicy, TerminalError, VirtualObject
from restate.context import Request
from restate.exceptions import RetryableError, SdkInternalBaseException
from restate.extensions import current_context
from restate.serde import BytesSerde
from restate.server_context import (
    DisconnectedException,
    ServerInvocationContext,
    restate_context_is_replaying,
)
from restate.vm import (
    DoProgressCancelSignalReceived,
    SingleUnresolvedFuture,
    VMException,  # pyright: ignore[reportUnknownVariableType] - its core is compiled
)

T = TypeVar("T")

OWN_EXCEPTIONS = (
    SdkInternalBaseException,
    DisconnectedException,
    cast("type[Exception]", VMException),
)
"""The SDK's own exceptions. The invocation continues in another attempt."""

CONTINUED = (*OWN_EXCEPTIONS, RetryableError)
"""All exceptions that end an attempt, but not the invocation."""

_ENDED: Any = {"type": "restate.run_completed", "data": None}
_SDK = ServerInvocationContext.__module__
_NOTHING = nullcontext()

# `max_attempts` is the largest number that the server accepts. A pause is at most 10 s:
# so an invocation that waits for a worker continues soon after an outage.
RETRIED_WITHOUT_END = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(seconds=10),
    max_attempts=2**31 - 1,
    on_max_attempts="pause",
)
# A subtask waits for a worker for a day. Then it is paused: it may be a subtask that
# kills its worker each time. Errors of the user's function are not counted here, but by
# our own attempts.
RETRIED_FOR_A_DAY = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(minutes=1),
    max_attempts=1_450,
    on_max_attempts="pause",
)


def virtual_object(
    name: str,
    description: str,
    *,
    private: Sequence[Callable[..., Awaitable[bytes]]],
    public: Sequence[Callable[..., Awaitable[bytes]]] = (),
    shared: Sequence[Callable[..., Awaitable[bytes]]],
) -> VirtualObject:
    """Return a virtual object that keeps large state for others.

    Its handlers read and write JSON themselves. It loads a state key only when a
    handler reads it, and keeps no journal.

    Args:
        name: The name of the object.
        description: What the object does.
        private: Handlers for our own messages; the server retries them without end.
        public: Handlers that change the state for anybody.
        shared: Handlers that only read, for anybody.
    """
    made = VirtualObject(
        name,
        description=description,
        journal_retention=timedelta(0),
        idempotency_retention=timedelta(0),
        enable_lazy_state=True,
    )
    raw: dict[str, Any] = {"input_serde": BytesSerde(), "output_serde": BytesSerde()}
    ours: dict[str, Any] = {"invocation_retry_policy": RETRIED_WITHOUT_END}
    for handler in private:
        made.handler(ingress_private=True, **raw, **ours)(handler)
    for handler in public:
        made.handler(**raw)(handler)
    for handler in shared:
        made.handler(kind="shared", **raw)(handler)
    return made


def suspend_at_next_wait(ctx: Context) -> None:
    """Suspend the invocation at its next wait, before its inactivity timeout.

    A suspended invocation releases its invoker slot. The SDK (1.3) suspends a handler
    once the server has closed its side of the connection. The SDK has no public way to
    suspend sooner. So this function reports to the SDK's core that the server has
    closed its side.
    """
    if isinstance(ctx, ServerInvocationContext):
        ctx.vm.notify_input_closed()


def is_resumed(ctx: Context) -> bool:
    """Whether the invocation has a journal to replay, asked at the start of a handler.

    Most often, it was suspended before. It may also have lost its worker.
    """
    return isinstance(ctx, ServerInvocationContext) and ctx.vm.is_replaying()


@contextmanager
def suspended_after(ctx: Context, seconds: float) -> Generator[None]:
    """Suspend the invocation if the wait in this block takes longer than this."""
    if not isinstance(ctx, ServerInvocationContext):
        yield
        return
    receive, vm = ctx.receive, ctx.vm

    def suspend() -> None:
        vm.notify_input_closed()
        waking = receive.enqueue_restate_event(_ENDED)
        ctx.tasks.add(asyncio.ensure_future(waking))  # pyright: ignore[reportUnknownMemberType] - `Future` alone

    timer = asyncio.get_running_loop().call_later(seconds, suspend)
    try:
        yield
    finally:
        timer.cancel()


def current_request() -> Request | None:
    """Return the request of the handler that this code executes; None for none."""
    try:
        context = current_context()
    except LookupError:
        return None
    return context.request() if context else None


def executed_now() -> AbstractContextManager[None]:
    """Let the SDK's loggers log in this block, which a replay does not execute.

    A step may be executed while the commands after it are still replayed. There, the
    SDK (1.3) takes the lines of the step for lines of a replay.
    """
    return _executed_now() if restate_context_is_replaying.get() else _NOTHING


@contextmanager
def _executed_now() -> Generator[None]:
    token = restate_context_is_replaying.set(False)
    try:
        yield
    finally:
        restate_context_is_replaying.reset(token)


def can_be_cancelled(ctx: ServerInvocationContext) -> bool:
    """Whether the SDK would learn now that somebody cancels the invocation.

    After the server has closed its side of the connection, the SDK learns of nothing
    before the next attempt. On AWS Lambda, this is always so.
    """
    return not ctx.receive._http_input_closed.is_set()  # pyright: ignore[reportPrivateUsage]


async def until_cancelled(
    ctx: ServerInvocationContext, function: Callable[[], Awaitable[T]]
) -> T:
    """Execute a function outside of a step, unless the invocation is cancelled.

    In a handler, the SDK (1.3) hears of a cancellation only while the handler waits for
    a durable future. So this function asks the SDK's core for the progress of a signal
    that nobody sends. A signal leaves nothing in the journal.

    Raises:
        TerminalError: The invocation was cancelled, before or meanwhile.
        DisconnectedException: The connection to the server was lost.
    """
    never = SingleUnresolvedFuture(ctx.vm.sys_signal("parallelizework.never"))
    _check_cancelled(ctx, never)
    has_ended = asyncio.Event()
    task = asyncio.create_task(_executed(ctx, function, has_ended))
    # The SDK cancels the task at the end of the attempt.
    ctx.tasks.add(task)  # pyright: ignore[reportUnknownMemberType] - `Future` alone
    await asyncio.sleep(0)  # a function that waits for nothing has ended after this
    while not task.done():
        event = await ctx.receive()
        if event["type"] == "http.disconnect":
            raise DisconnectedException
        if event["type"] != "http.request":
            continue
        if body := event["body"]:
            ctx.vm.notify_input(body)
        if not event.get("more_body"):
            ctx.vm.notify_input_closed()  # asking for progress would suspend now
            break
        if has_ended.is_set():  # a value that exists has priority
            break
        try:
            _check_cancelled(ctx, never)
        except TerminalError:
            task.cancel()  # at once: it must not return a value that nobody receives
            raise
    return await task


async def _executed(
    ctx: ServerInvocationContext,
    function: Callable[[], Awaitable[T]],
    has_ended: asyncio.Event,
) -> T:
    try:
        return await function()
    finally:
        has_ended.set()
        await ctx.receive.enqueue_restate_event(_ENDED)  # wakes `ctx.receive()`


def _check_cancelled(
    ctx: ServerInvocationContext, never: SingleUnresolvedFuture
) -> None:
    if isinstance(ctx.vm.do_progress(never), DoProgressCancelSignalReceived):
        raise TerminalError("cancelled", 409)


def is_raised_by_sdk(error: BaseException) -> bool:
    """Whether the SDK raised an error, rather than the user's own code."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals.get("__name__") == _SDK
