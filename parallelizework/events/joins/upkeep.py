"""`Upkeep`: the handlers by which a join changes the state of a key itself."""

from restate import ObjectContext

from parallelizework.events.joins.definition import JoinDefinition
from parallelizework.events.joins.events import clear_events, forget_ids
from parallelizework.events.joins.key import (
    Key,
    checked_json,
    discard_json,
    round_json,
    timer_json,
)
from parallelizework.events.joins.models import Discard, JoinReason


class Upkeep:
    """The private handlers of a join that change the state of a key.

    Args:
        definition: The parts of the join.
    """

    def __init__(self, definition: JoinDefinition) -> None:
        self._definition = definition

    async def expire(self, ctx: ObjectContext, body: bytes) -> bytes:
        """End the round because of a timer, unless the round has ended before."""
        timer, key = timer_json.deserialize(body), await self._key(ctx)
        if key.state.since != timer.since:
            return b""
        is_quiet = timer.reason is JoinReason.QUIET
        if is_quiet and (left := await key.quiet_time_left()):
            key.send("expire", body, left)
            return b""
        await key.end_round(timer.reason)
        key.store()
        return b""

    async def checked(self, ctx: ObjectContext, body: bytes) -> bytes:
        """End the round if the events are enough for `until`."""
        result, key = checked_json.deserialize(body), await self._key(ctx)
        key.change(is_checking=False)
        if key.state.since == result.check.since:
            key.change(problem=result.problem)
            if result.end is not None:
                await key.end_round(JoinReason.ENOUGH, result.end)
            elif not result.problem:
                key.change(checked=result.check.end)
        if not key.state.problem:
            key.check()
        key.store()
        return b""

    async def started(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Note the run of a round, or why it cannot start."""
        round_, key = round_json.deserialize(body), await self._key(ctx)
        key.state = key.state.with_round(round_)
        key.store()
        if round_.run:
            self._discard(ctx, key, Discard(first=round_.first, end=round_.end))
        return b""

    async def discard(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Remove events that a run has received, some at once."""
        self._discard(ctx, await self._key(ctx), discard_json.deserialize(body))
        return b""

    async def forget(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """Forget the older ids of events; forget the key if nothing is left."""
        key = await self._key(ctx)
        has_more, has_ids = await forget_ids(ctx, key.state.generation - 1)
        if has_more:
            key.send("forget", b"")
        elif has_ids or key.state.count or key.state.waiting:
            key.change(generation=key.state.generation + 1)
            key.store()
            key.send("forget", b"", self._definition.rules.retention)
        else:
            ctx.clear_all()
        return b""

    def _discard(self, ctx: ObjectContext, key: Key, events: Discard) -> None:
        first = clear_events(ctx, events.first, events.end)
        if first < events.end:
            left = Discard(first=first, end=events.end)
            key.send("discard", discard_json.serialize(left))

    async def _key(self, ctx: ObjectContext) -> Key:
        return await Key.of(ctx, self._definition)
