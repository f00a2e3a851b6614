"""`Collector`: the handlers of a join that collect its events, one at a time a key."""

from datetime import timedelta
from typing import Any

from restate import ObjectContext, ObjectSharedContext, TerminalError

from parallelizework.events.joins.definition import JoinDefinition
from parallelizework.events.joins.events import (
    clear_events,
    forget_ids,
    is_known,
    state_of,
    store_event,
    store_id,
    store_state,
)
from parallelizework.events.joins.models import (
    MAX_EVENT_BYTES,
    MAX_ID,
    MAX_WAITING,
    Added,
    Check,
    Checked,
    Collected,
    Discard,
    JoinReason,
    Round,
    State,
    Timer,
)
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json

added_json = Json[Added](Added, "the answer of add")
collected_json = Json[Collected](Collected, "what a key has collected")
timer_json = Message[Timer](Timer, "a timer of a round")
check_json = Message[Check](Check, "a check of the events")
checked_json = Message[Checked](Checked, "the result of a check")
round_json = Message[Round](Round, "a round that has ended")
_discard_json = Message[Discard](Discard, "the events of a run that has started")

_BAD_REQUEST, _TOO_LARGE, _UNAVAILABLE = 400, 413, 503
_SHORTEST = timedelta(milliseconds=1)


class Collector:
    """The handlers that change the state of a key.

    Args:
        definition: The parts of the join.
    """

    def __init__(self, definition: JoinDefinition) -> None:
        self._definition = definition

    async def add(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Add an event. The body is the event's JSON."""
        definition = self._definition
        event = definition.event_json.accept(body)
        stored = self._checked_size(definition.event_json.serialize(event))
        id_ = self._id(event)
        state = await state_of(ctx)
        if id_ and await is_known(ctx, state, id_):
            return _added(state, is_duplicate=True)
        _check_waiting(ctx, state)
        now = state.since
        if now is None or definition.rules.quiet_for:
            now = await ctx.time()
        if state.since is None:
            self._start_timers(ctx, now)
        store_event(ctx, state.end, stored)
        if id_:
            store_id(ctx, state, id_)
        state = self._kept(ctx, state.with_event(len(stored), now))
        answer = _added(state, is_duplicate=False)
        if state.count == definition.rules.count:
            state = await self._ended(ctx, state, JoinReason.ENOUGH)
        elif state.is_full:
            state = await self._ended(ctx, state, JoinReason.FULL)
        store_state(ctx, self._checking(ctx, state))
        return answer

    async def close(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """End the round now, and start its run. Without events, nothing happens."""
        state = await state_of(ctx)
        if state.count:
            state = await self._ended(ctx, state, JoinReason.CLOSED)
            store_state(ctx, state)
        return collected_json.answer(Collected.of(state))

    async def retry(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """Call functions again whose last attempt has failed: `task` or `until`."""
        state = await state_of(ctx)
        for each in state.waiting:
            self._send(ctx, "start", round_json.serialize(each))
        if state.problem or state.is_checking:
            update = {"problem": None, "is_checking": False}
            state = self._checking(ctx, state.model_copy(update=update))
            store_state(ctx, state)
        return collected_json.answer(Collected.of(state))

    async def get(self, ctx: ObjectSharedContext, _body: bytes) -> bytes:
        """Return what the key has collected, and its latest runs."""
        return collected_json.answer(Collected.of(await state_of(ctx)))

    async def expire(self, ctx: ObjectContext, body: bytes) -> bytes:
        """End the round because of a timer, unless the round has ended before."""
        timer, state = timer_json.deserialize(body), await state_of(ctx)
        if state.since != timer.since:
            return b""
        if timer.reason is JoinReason.QUIET and (left := await self._left(ctx, state)):
            self._send(ctx, "expire", body, left)
            return b""
        store_state(ctx, await self._ended(ctx, state, timer.reason))
        return b""

    async def checked(self, ctx: ObjectContext, body: bytes) -> bytes:
        """End the round if the events are enough for `until`."""
        result, state = checked_json.deserialize(body), await state_of(ctx)
        state = state.model_copy(update={"is_checking": False})
        if state.since == result.check.since:
            if result.problem:
                state = state.model_copy(update={"problem": result.problem})
            elif result.end is not None:
                state = await self._ended(ctx, state, JoinReason.ENOUGH, result.end)
            else:
                update = {"checked": result.check.end, "problem": None}
                state = state.model_copy(update=update)
        if not state.problem:
            state = self._checking(ctx, state)
        store_state(ctx, state)
        return b""

    async def started(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Note the run of a round, or why it cannot start."""
        round_ = round_json.deserialize(body)
        store_state(ctx, (await state_of(ctx)).with_round(round_))
        if round_.run:
            events = Discard(first=round_.first, end=round_.end)
            await self.discard(ctx, _discard_json.serialize(events))
        return b""

    async def discard(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Remove events that a run has received, some at once."""
        events = _discard_json.deserialize(body)
        first = clear_events(ctx, events.first, events.end)
        if first < events.end:
            left = Discard(first=first, end=events.end)
            self._send(ctx, "discard", _discard_json.serialize(left))
        return b""

    async def forget(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """Forget the older ids of events; forget the key if nothing is left."""
        state = await state_of(ctx)
        has_more, has_ids = await forget_ids(ctx, state.generation - 1)
        if has_more:
            self._send(ctx, "forget", b"")
        elif has_ids or state.count or state.waiting:
            update = {"generation": state.generation + 1}
            store_state(ctx, state.model_copy(update=update))
            self._send(ctx, "forget", b"", self._definition.rules.retention)
        else:
            ctx.clear_all()
        return b""

    async def _ended(
        self,
        ctx: ObjectContext,
        state: State,
        reason: JoinReason,
        end: int | None = None,
    ) -> State:
        """Return the state after the end of the round, whose run starts now."""
        end = state.end if end is None else end
        now = 0.0 if end == state.end else await ctx.time()
        state = state.after(reason, end, now)
        self._send(ctx, "start", round_json.serialize(state.ended[-1]))
        if state.since is not None:
            self._start_timers(ctx, state.since)
        return state

    def _checking(self, ctx: ObjectContext, state: State) -> State:
        """Return the state after a call of `until`, if `until` has to be called now."""
        is_checked = state.checked >= state.end
        if not self._definition.predicate or state.is_checking or is_checked:
            return state
        assert state.since is not None, "a round with events has a time"
        check = Check(
            since=state.since, first=state.first, end=state.end, checked=state.checked
        )
        self._send(ctx, "check", check_json.serialize(check))
        return state.model_copy(update={"is_checking": True})

    def _start_timers(self, ctx: ObjectContext, since: float) -> None:
        definition = self._definition
        rules = {
            JoinReason.EXPIRED: definition.rules.within,
            JoinReason.QUIET: definition.rules.quiet_for,
        }
        for reason, delay in rules.items():
            if delay:
                body = timer_json.serialize(Timer(since=since, reason=reason))
                self._send(ctx, "expire", body, delay)

    async def _left(self, ctx: ObjectContext, state: State) -> timedelta | None:
        """Return how long no event may come until the round ends; None if it ends."""
        quiet_for, last = self._definition.rules.quiet_for, state.last
        if quiet_for is None or last is None:
            return None
        passed = timedelta(seconds=await ctx.time() - last)
        # The clocks of two workers may differ: never wait longer than `quiet_for`.
        left = min(quiet_for - passed, quiet_for)
        return left if left >= _SHORTEST else None

    def _kept(self, ctx: ObjectContext, state: State) -> State:
        """Return the state after the start of the timer that forgets the key."""
        if state.is_kept:
            return state
        self._send(ctx, "forget", b"", self._definition.rules.retention)
        return state.model_copy(update={"is_kept": True})

    def _id(self, event: Any) -> str | None:
        """Return the id of an event.

        Raises:
            TerminalError: 400; there is no id, or it is too long.
        """
        id_of = self._definition.id_of
        if not id_of:
            return None
        try:
            id_ = id_of.call_sync(event)
        except Exception as error:
            raise TerminalError(
                f"{id_of.name} raised {error!r}", _BAD_REQUEST
            ) from error
        if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID:
            raise TerminalError(
                f"{id_of.name} returned {id_!r:.100}: an id is a text of 1 to {MAX_ID} "
                "characters",
                _BAD_REQUEST,
            )
        return id_

    def _checked_size(self, event: bytes) -> bytes:
        if len(event) > MAX_EVENT_BYTES:
            raise TerminalError(
                f"an event of {self._definition.name} is larger than "
                f"{MAX_EVENT_BYTES >> 20} MiB: send a reference to the data instead",
                _TOO_LARGE,
            )
        return event

    def _send(
        self,
        ctx: ObjectContext,
        handler: str,
        body: bytes,
        delay: timedelta | None = None,
    ) -> None:
        name = self._definition.name
        ctx.generic_send(name, handler, body, key=ctx.key(), send_delay=delay)


def _added(state: State, *, is_duplicate: bool) -> bytes:
    return added_json.answer(Added(is_duplicate=is_duplicate, count=state.count))


def _check_waiting(ctx: ObjectContext, state: State) -> None:
    """Check that not too many runs of the key wait for their start.

    Raises:
        TerminalError: 503; too many runs wait.
    """
    if len(state.waiting) >= MAX_WAITING:
        raise TerminalError(
            f"{MAX_WAITING:,} runs of {ctx.key()} cannot start: correct the cause that "
            "`get` returns, then call `retry`",
            _UNAVAILABLE,
        )
