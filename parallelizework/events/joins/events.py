"""The state keys of a join: one for each event, and one for each id of an event."""

from restate import ObjectContext, ObjectSharedContext
from restate.serde import BytesSerde

from parallelizework.events.joins.rounds import State
from parallelizework.serde.message import Message

AT_ONCE = 1_000  # state keys that one invocation clears
_STATE = "state"
_ID = "id."

_state_json = Message[State](State, "the state of a key of a join")


async def state_of(ctx: ObjectContext | ObjectSharedContext) -> State:
    """Return what is stored of the key besides its events."""
    return await ctx.get(_STATE, serde=_state_json) or State()


def store_state(ctx: ObjectContext, state: State) -> None:
    """Store everything but the events."""
    ctx.set(_STATE, state, serde=_state_json)


def store_event(ctx: ObjectContext, offset: int, event: bytes) -> None:
    """Store one event."""
    ctx.set(_event(offset), event, serde=BytesSerde())


async def read_events(ctx: ObjectSharedContext, first: int, end: int) -> bytes | None:
    """Return some events as a JSON list; None if a run has received them before."""
    found: list[bytes] = []
    for offset in range(first, end):
        event = await ctx.get(_event(offset), serde=BytesSerde())
        if event is None:
            return None
        found.append(event)
    return b"[" + b",".join(found) + b"]"


def clear_events(ctx: ObjectContext, first: int, end: int) -> int:
    """Remove the first of some events; return the offset after them."""
    until = min(end, first + AT_ONCE)
    for offset in range(first, until):
        ctx.clear(_event(offset))
    return until


async def is_known(ctx: ObjectContext, state: State, id_: str) -> bool:
    """Whether an event with this id was added before."""
    for generation in (state.generation, state.generation - 1):
        if generation >= 0 and await ctx.get(_id(generation, id_), serde=BytesSerde()):
            return True
    return False


def store_id(ctx: ObjectContext, state: State, id_: str) -> None:
    """Note that an event with this id was added."""
    ctx.set(_id(state.generation, id_), b"1", serde=BytesSerde())


async def forget_ids(ctx: ObjectContext, generation: int) -> tuple[bool, bool]:
    """Forget some ids of a generation.

    Returns:
        Whether more of these ids are left, and whether any id at all is left.
    """
    names = [name for name in await ctx.state_keys() if name.startswith(_ID)]
    old = [name for name in names if name.startswith(_id(generation, ""))]
    for name in old[:AT_ONCE]:
        ctx.clear(name)
    return len(old) > AT_ONCE, len(names) > len(old)


def _event(offset: int) -> str:
    return f"event.{offset}"


def _id(generation: int, id_: str) -> str:
    return f"{_ID}{generation}.{id_}"
