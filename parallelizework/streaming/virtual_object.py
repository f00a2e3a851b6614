"""`FanOutOutcomes`: the virtual object that stores outcomes until somebody reads them.

Each message with outcomes has a state key of its own. So the cost of a message does not
depend on the size of the run.
"""

from datetime import timedelta

from restate import ObjectContext, ObjectSharedContext, TerminalError, VirtualObject
from restate.serde import BytesSerde

from parallelizework.restate_sdk import virtual_object
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json
from parallelizework.streaming.models import (
    CHUNK,
    NAME,
    Checked,
    Completed,
    Part,
    State,
)
from parallelizework.streaming.sender import end_json, outcomes_json

RETENTION = timedelta(days=1)  # at least, after the end of the run
_MAX_CHECKS = 30  # without a change, one each day

_state_json = Message[State](State, "the state of the outcomes of a run")
_checked_json = Message[Checked](Checked, "a check of the outcomes of a run")
_part_json = Message[Part](Part, "some outcomes of a run")
_offset_json = Json[int](int, "the offset", status=400)

_NOT_FOUND = 404
_STATE, _CHECKED = "state", "checked"
_BYTES = 1024 * 1024  # of one answer, without its last message


def outcomes_object() -> VirtualObject:
    """Return the virtual object `FanOutOutcomes`. Its key is the id of a run."""
    return virtual_object(
        NAME,
        "The outcomes of runs of fan-outs, as they complete",
        private=(begin, append, end, forget),
        shared=(read,),
    )


async def begin(ctx: ObjectContext, _body: bytes) -> bytes:
    """Note that the run sends its outcomes."""
    ctx.set(_STATE, await _state(ctx) or State(), serde=_state_json)
    ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=RETENTION)
    return b""


async def append(ctx: ObjectContext, body: bytes) -> bytes:
    """Store some outcomes."""
    found = outcomes_json.deserialize(body)
    state = await _state(ctx) or State()
    ctx.set(_chunk(state.chunks), body, serde=BytesSerde())
    counts = {"chunks": state.chunks + 1, "count": state.count + len(found)}
    ctx.set(_STATE, state.model_copy(update=counts), serde=_state_json)
    return b""


async def end(ctx: ObjectContext, body: bytes) -> bytes:
    """Note the end of the run."""
    state, expected = await _state(ctx) or State(), end_json.deserialize(body).count
    ended = state.model_copy(update={"expected": expected})
    ctx.set(_STATE, ended, serde=_state_json)
    return b""


async def forget(ctx: ObjectContext, _body: bytes) -> bytes:
    """Forget the run, if its outcomes are complete since the last check.

    A killed run has no end: it is forgotten after many checks without a change.
    """
    state, before = await _state(ctx), await ctx.get(_CHECKED, serde=_checked_json)
    is_same = before is not None and before.state == state
    times = before.times + 1 if before and is_same else 0
    if state and times < (1 if state.is_complete else _MAX_CHECKS):
        ctx.set(_CHECKED, Checked(state=state, times=times), serde=_checked_json)
        ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=RETENTION)
    else:
        ctx.clear_all()
    return b""


async def read(ctx: ObjectSharedContext, body: bytes) -> bytes:
    """Return the outcomes from an offset on; 0 for the first."""
    offset = _offset_json.accept(body)
    state = await _state(ctx)
    if state is None:
        raise TerminalError(
            f"the run {ctx.key()} does not send its outcomes: set Policy(stream=True)",
            _NOT_FOUND,
        )
    number = max(offset, 0) // CHUNK
    found: list[tuple[int, Completed]] = []
    size = 0
    while number < state.chunks and size < _BYTES:
        body = await ctx.get(_chunk(number), serde=BytesSerde()) or b"[]"
        chunk = enumerate(outcomes_json.deserialize(body), number * CHUNK)
        found += [(at, each) for at, each in chunk if at >= offset]
        number, size = number + 1, size + len(body)
    is_last = state.is_complete and number >= state.chunks
    next_ = max(offset, number * CHUNK)
    return _part_json.serialize(Part(outcomes=found, next=next_, is_last=is_last))


async def _state(ctx: ObjectContext | ObjectSharedContext) -> State | None:
    return await ctx.get(_STATE, serde=_state_json)


def _chunk(number: int) -> str:
    return f"chunk.{number}"
