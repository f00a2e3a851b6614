"""`ended`: waits for the end of a run, in handler code.

The state comes from the run itself: Restate delivers its result or its error. The
counts come from `FanOutProgress`, where they may arrive a little later.
"""

from datetime import timedelta

import restate
from pydantic import JsonValue
from pydantic_core import from_json
from restate import Context, TerminalError
from restate.serde import BytesSerde

from parallelizework.messages import REASON
from parallelizework.notifications.models import LARGEST_RESULT, RunEnd, State
from parallelizework.outcomes import Counts
from parallelizework.progress.models import NAME, Progress
from parallelizework.serde.message import Message
from parallelizework.terminal_errors import is_cancelled, is_lost

_PROGRESS = Message[Progress](Progress, "the progress of a run")
_ENDED = ("succeeded", "failed", "cancelled")
_NOT_FOUND = 404
_KILLED = "killed"
# Seconds between two questions to `FanOutProgress`, while the last update of the run
# has not arrived. Most often, it arrives within some milliseconds.
_PAUSES = (0.1, 0.3, 1.0, 3.0, 10.0)
_UNKNOWN = 3  # pauses, if `FanOutProgress` knows nothing of the run: it may stay so


async def ended(ctx: Context, run: str, fan_out: str | None) -> RunEnd:
    """Wait until a run has ended, and return how it ended.

    Args:
        ctx: The context of the handler.
        run: The id of the run. It has the form of an id.
        fan_out: The name of the fan-out, if the caller knows it.

    Raises:
        TerminalError: 404; the server has no such run. Or this invocation was
            cancelled while the run had not ended.
    """
    outcome = await _outcome(ctx, run)
    progress = await _progress(ctx, run, is_killed=outcome.state == _KILLED)
    if progress is None:
        return outcome.model_copy(update={"fan_out": fan_out})
    reason = progress.completion_reason
    counts = {name: getattr(progress, name) for name in Counts.model_fields}
    known = {
        "fan_out": progress.fan_out,
        "total": progress.total,
        "counts": Counts(**counts),
        "labels": progress.labels,
        "reason": outcome.reason or (reason and reason.value),
    }
    return outcome.model_copy(update=known)


async def _outcome(ctx: Context, run: str) -> RunEnd:
    future = ctx.attach_invocation(run, BytesSerde())
    # This wait raises an error only if this invocation itself is cancelled. The error
    # of a run that was cancelled looks the same, and comes from the future.
    await restate.wait_completed(future)
    try:
        result = await future
    except TerminalError as error:
        return _failed(run, error)
    has_result = len(result) <= LARGEST_RESULT
    plain = _plain(result) if has_result else None
    return RunEnd(run=run, state="succeeded", has_result=has_result, result=plain)


def _failed(run: str, error: TerminalError) -> RunEnd:
    is_gone = is_lost(error)
    if is_gone and error.status_code == _NOT_FOUND:
        raise TerminalError(
            f"the server has no run {run}: check the id. A server keeps a run for a "
            "day after its end, unless its service says otherwise",
            _NOT_FOUND,
        )
    state: State = "failed"
    if is_cancelled(error):
        state = "killed" if is_gone else "cancelled"
    reason = (error.metadata or {}).get(REASON)
    return RunEnd(
        run=run,
        state=state,
        error=error.message,
        status=error.status_code,
        reason=reason,
    )


def _plain(result: bytes) -> JsonValue:
    """A result as plain JSON, or as a text if another service has answered no JSON."""
    try:
        return from_json(result)
    except ValueError:
        return result.decode(errors="replace") or None


async def _progress(ctx: Context, run: str, *, is_killed: bool) -> Progress | None:
    """The progress of a run that has ended; None if it has reported nothing.

    A killed run cannot report its end.
    """
    found = await _read(ctx, run)
    for number, pause in enumerate(_PAUSES):
        is_settled = found is not None and (is_killed or found.state in _ENDED)
        if is_settled or (found is None and number >= _UNKNOWN):
            break
        await ctx.sleep(timedelta(seconds=pause))
        found = await _read(ctx, run)
    return found


async def _read(ctx: Context, run: str) -> Progress | None:
    try:
        answer = await ctx.generic_call(NAME, "get", b"", key=run)
    except TerminalError as error:
        if error.status_code == _NOT_FOUND:
            return None
        raise
    return _PROGRESS.deserialize(answer)
