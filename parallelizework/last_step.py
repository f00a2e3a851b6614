"""The last step of a handler: what comes at once is journaled by the answer itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from restate import Context, RunOptions
from restate.server_context import restate_context_is_replaying

T = TypeVar("T")

# Until then the worker does not hear that the invocation has been cancelled. A step of
# its own costs about as much as the rest of a call, so what is short does without.
_AT_ONCE = 0.1


async def last_step(
    ctx: Context,
    action: Callable[[], Awaitable[T]],
    options: RunOptions[T],
    *,
    answers: Callable[[T], bool] = lambda _: True,
) -> T:
    """What `action` gives, as by `ctx.run_typed`.

    What takes longer than a moment, or gives what the handler does not answer with, is
    journaled as a step.

    Args:
        answers: Whether the handler answers with this, without another step.
    """
    task: asyncio.Future[T] | None = None
    if not restate_context_is_replaying.get():  # else it may be in the journal
        task = asyncio.ensure_future(action())
        await _wait(task)
        if task.done() and not task.exception() and answers(task.result()):
            return task.result()

    async def step() -> T:
        return await (task or action())

    return await ctx.run_typed("execute", step, options)


async def _wait(task: asyncio.Future[T]) -> None:
    try:
        await asyncio.wait({task}, timeout=_AT_ONCE)
    except asyncio.CancelledError:
        task.cancel()
        raise
