"""`Collector`: the handlers of a join that anybody may call."""

from typing import Any

from restate import ObjectContext, ObjectSharedContext, TerminalError

from parallelizework.events.joins.definition import JoinDefinition
from parallelizework.events.joins.events import (
    is_known,
    state_of,
    store_event,
    store_id,
)
from parallelizework.events.joins.key import (
    Key,
    added_json,
    collected_json,
    round_json,
)
from parallelizework.events.joins.models import (
    MAX_EVENT_BYTES,
    MAX_ID,
    MAX_WAITING,
    Added,
    JoinReason,
)
from parallelizework.events.joins.rounds import State

_BAD_REQUEST, _TOO_LARGE, _UNAVAILABLE = 400, 413, 503


class Collector:
    """The handlers that collect events, and return what is collected.

    Args:
        definition: The parts of the join.
    """

    def __init__(self, definition: JoinDefinition) -> None:
        self._definition = definition

    async def add(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Add an event. The body is the event's JSON."""
        event, stored = self._accepted(body)
        id_ = self._id(event)
        key = await Key.of(ctx, self._definition)
        if id_ and await is_known(ctx, key.state, id_):
            return _added(key.state, is_duplicate=True)
        _check_waiting(ctx, key.state)
        now = await key.begin_event()
        store_event(ctx, key.state.end, stored)
        if id_:
            store_id(ctx, key.state, id_)
        key.state = key.state.with_event(len(stored), now)
        answer = _added(key.state, is_duplicate=False)
        key.keep()
        if key.state.count == self._definition.rules.count:
            await key.end_round(JoinReason.ENOUGH)
        elif key.state.is_full:
            await key.end_round(JoinReason.FULL)
        key.check()
        key.store()
        return answer

    async def close(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """End the round now, and start its run. Without events, nothing happens."""
        key = await Key.of(ctx, self._definition)
        if key.state.count:
            await key.end_round(JoinReason.CLOSED)
            key.store()
        return collected_json.answer(key.state.collected)

    async def retry(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """Call functions again whose last attempt has failed: `task` or `until`."""
        key = await Key.of(ctx, self._definition)
        for each in key.state.waiting:
            key.send("start", round_json.serialize(each))
        if key.state.problem or key.state.is_checking:
            key.change(problem=None, is_checking=False)
            key.check()
            key.store()
        return collected_json.answer(key.state.collected)

    async def get(self, ctx: ObjectSharedContext, _body: bytes) -> bytes:
        """Return what the key has collected, and its latest runs."""
        return collected_json.answer((await state_of(ctx)).collected)

    def _accepted(self, body: bytes) -> tuple[Any, bytes]:
        """Return an event, and the JSON to store.

        Raises:
            TerminalError: 400, the event does not fit its type; 413, it is too large.
        """
        event_json = self._definition.event_json
        event = event_json.accept(body)
        stored = event_json.serialize(event)
        if len(stored) > MAX_EVENT_BYTES:
            raise TerminalError(
                f"an event of {self._definition.name} is larger than "
                f"{MAX_EVENT_BYTES >> 20} MiB: send a reference to the data instead",
                _TOO_LARGE,
            )
        return event, stored

    def _id(self, event: Any) -> str | None:
        """Return the id of an event; None without `id_of`.

        Raises:
            TerminalError: 400; the id is not valid.
        """
        id_of = self._definition.id_of
        if not id_of:
            return None
        try:
            id_ = id_of.call_sync(event)
        except Exception as error:
            message = f"{id_of.name} raised {error!r:.1000}"
            raise TerminalError(message, _BAD_REQUEST) from error
        if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID:
            raise TerminalError(
                f"{id_of.name} returned {id_!r:.100}: an id is a text of 1 to {MAX_ID} "
                "characters",
                _BAD_REQUEST,
            )
        return id_


def _added(state: State, *, is_duplicate: bool) -> bytes:
    return added_json.answer(Added(is_duplicate=is_duplicate, count=state.count))


def _check_waiting(ctx: ObjectContext, state: State) -> None:
    """Check that not too many runs of the key wait for their start.

    Raises:
        TerminalError: 503; too many runs wait.
    """
    if len(state.waiting) >= MAX_WAITING:
        raise TerminalError(
            f"{MAX_WAITING:,} runs of {ctx.key()} cannot start: correct the problem "
            "that get returns, then call retry",
            _UNAVAILABLE,
        )
