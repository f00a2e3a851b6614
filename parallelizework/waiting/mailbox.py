"""`FanOutMailbox`: the virtual object that delivers events to waiting subtasks.

Its key is the key of events, such as `Stripe/pi_123`. An event is delivered to all
subtasks that wait for the key. If no subtask waits, the first event is kept for the
next one. An event with a known id counts once.
"""

from collections.abc import Iterable
from datetime import timedelta

from pydantic_core import to_json
from restate import ObjectContext, ObjectSharedContext, VirtualObject

from parallelizework.restate_sdk import virtual_object
from parallelizework.serde.message import Message
from parallelizework.waiting.answers import (
    waiter_json,
    withdrawal_json,
    withdrawn_json,
)
from parallelizework.waiting.kept import Kept, KeptState, send_answer
from parallelizework.waiting.models import (
    MAILBOX,
    Answer,
    Delivery,
    Waiter,
)

_MAX_IDS = 100  # of events that were delivered

delivery_json = Message[Delivery](Delivery, "an event")


class _State(KeptState):
    """What is known of one key.

    Attributes:
        waiters: The subtasks that wait.
        early: The first event that no subtask has received yet.
        ids: The ids of the latest events that subtasks have received.
    """

    waiters: tuple[Waiter, ...] = ()
    early: Delivery | None = None
    ids: tuple[str, ...] = ()

    def with_id(self, event: Delivery) -> tuple[str, ...]:
        """Return the ids of the latest events after one more."""
        return (*self.ids, event.id)[-_MAX_IDS:] if event.id else self.ids


_kept = Kept(MAILBOX, _State)


def mailbox_object() -> VirtualObject:
    """Return the virtual object `FanOutMailbox`. Its key is the key of events."""
    return virtual_object(
        MAILBOX,
        "The events for subtasks of fan-outs that wait",
        private=(deliver, expect, withdraw, forget),
        shared=(get,),
    )


async def deliver(ctx: ObjectContext, body: bytes) -> bytes:
    """Deliver an event to the subtasks that wait; without one, keep it for a time."""
    event, state = delivery_json.deserialize(body), await _kept.get(ctx)
    if event.id and event.id in state.ids:
        return b""
    if state.waiters:
        _send(ctx, state.waiters, event)
        state = state.model_copy(update={"waiters": (), "ids": state.with_id(event)})
    elif not state.early:
        state = state.model_copy(update={"early": event})
    else:
        return b""
    _keep(ctx, state, event.kept_for)
    return b""


async def expect(ctx: ObjectContext, body: bytes) -> bytes:
    """Note that a subtask waits, or deliver the event that has come already."""
    waiter, state = waiter_json.deserialize(body), await _kept.get(ctx)
    if early := state.early:
        _send(ctx, [waiter], early)
        update = {"early": None, "ids": state.with_id(early)}
    else:
        update = {"waiters": (*state.waiters, waiter)}
    _keep(ctx, state.model_copy(update=update), waiter.kept_for)
    return b""


async def withdraw(ctx: ObjectContext, body: bytes) -> bytes:
    """Note that a subtask no longer waits, unless an event was sent before."""
    withdrawal, state = withdrawal_json.deserialize(body), await _kept.get(ctx)
    left = tuple(e for e in state.waiters if e.invocation != withdrawal.invocation)
    if state.timer:
        _kept.set(ctx, state.model_copy(update={"waiters": left}))
    has_left = len(left) < len(state.waiters)
    return withdrawn_json.serialize(has_left or not state.timer)  # or is forgotten


async def forget(ctx: ObjectContext, body: bytes) -> bytes:
    """Forget the key, unless its time was set anew."""
    await _kept.forget(ctx, body)
    return b""


async def get(ctx: ObjectSharedContext) -> bytes:
    """Return `{"waiting": ..., "has_event": ...}`: the number of waiting subtasks."""
    state = await _kept.get(ctx)
    return to_json({"waiting": len(state.waiters), "has_event": bool(state.early)})


def _send(ctx: ObjectContext, waiters: Iterable[Waiter], event: Delivery) -> None:
    for waiter in waiters:
        send_answer(ctx, waiter, Answer(event=event.event))


def _keep(ctx: ObjectContext, state: _State, kept_for: float) -> None:
    """Keep the key for a time, and not shorter than its subtasks may wait."""
    longest = max([kept_for, *(each.kept_for for each in state.waiters)])
    _kept.keep(ctx, state, timedelta(seconds=longest))
