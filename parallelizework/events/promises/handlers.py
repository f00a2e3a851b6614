"""The handlers of a promise.

`await` sends its invocation id to `subscribe`, and waits for the signal `settled`. The
invocation is suspended meanwhile. Each waiter has a state key of its own.
"""

from datetime import timedelta
from typing import Any

from restate import ObjectContext, ObjectSharedContext, TerminalError
from restate.serde import BytesSerde

from parallelizework.events.promises.models import (
    Answered,
    Peeked,
    Rejection,
    Settled,
)
from parallelizework.restate_sdk import suspend_at_next_wait
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json

_BAD_REQUEST, _GONE = 400, 410
_SETTLED, _WAITER, _SIGNAL = "settled", "waiter.", "settled"
_DISPOSED = Settled(
    status="rejected",
    rejection=Rejection(message="the promise was disposed", code=_GONE),
)

value_json = Json[Any](Any, "the value of a promise", status=_BAD_REQUEST)
rejection_json = Json[Rejection | str](
    Rejection | str, "the rejection of a promise", status=_BAD_REQUEST
)
peeked_json = Json[Peeked](Peeked, "the state of a promise")
answered_json = Json[Answered](Answered, "the answer of a promise")
waiter_json = Message[str](str, "the id of a waiter")
_settled_json = Message[Settled](Settled, "how a promise was settled")


class PromiseHandlers:
    """The handlers of a promise.

    Args:
        name: The name of the virtual object.
        retention: How long a promise is kept after it is settled.
    """

    def __init__(self, name: str, retention: timedelta) -> None:
        self._name = name
        self._retention = retention

    async def resolve(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Settle the promise with a value. The body is the value's JSON."""
        value = value_json.accept(body)
        return await self._settle(ctx, Settled(status="resolved", value=value))

    async def reject(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Settle the promise with an error: the body is its message, or an object."""
        rejection = rejection_json.accept(body)
        if isinstance(rejection, str):
            rejection = Rejection(message=rejection)
        return await self._settle(ctx, Settled(status="rejected", rejection=rejection))

    async def peek(self, ctx: ObjectSharedContext, _body: bytes) -> bytes:
        """Return whether the promise is settled, and its value."""
        return peeked_json.answer(Peeked.of(await _settled(ctx)))

    async def await_(self, ctx: ObjectSharedContext, _body: bytes) -> bytes:
        """Wait until the promise is settled, and return its value."""
        settled = await _settled(ctx)
        if settled is None:
            answer = ctx.signal(_SIGNAL, serde=_settled_json)
            me = waiter_json.serialize(ctx.request().id)
            self._send(ctx, "subscribe", me)
            suspend_at_next_wait(ctx)
            try:
                settled = await answer
            except TerminalError:  # the waiter was cancelled
                self._send(ctx, "unsubscribe", me)
                raise
        if rejection := settled.rejection:
            raise TerminalError(rejection.message, rejection.code)
        return value_json.answer(settled.value)

    async def dispose(self, ctx: ObjectContext, _body: bytes) -> bytes:
        """Forget the promise. All who wait for it receive an error with status 410."""
        await _answer_waiters(ctx, _DISPOSED)
        ctx.clear_all()
        return b"null"

    async def subscribe(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Note a waiter, or send the value if the promise is settled already."""
        waiter = waiter_json.deserialize(body)
        if settled := await _settled(ctx):
            _send_settled(ctx, waiter, settled)
        else:
            ctx.set(f"{_WAITER}{waiter}", b"1", serde=BytesSerde())
        return b""

    async def unsubscribe(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Forget a waiter."""
        ctx.clear(f"{_WAITER}{waiter_json.deserialize(body)}")
        return b""

    async def forget(self, ctx: ObjectContext, body: bytes) -> bytes:
        """Forget the promise, unless it was disposed and settled again."""
        settled = await _settled(ctx)
        if settled and settled.id == waiter_json.deserialize(body):
            ctx.clear_all()
        return b""

    async def _settle(self, ctx: ObjectContext, settled: Settled) -> bytes:
        """Settle the promise, unless it is settled."""
        if earlier := await _settled(ctx):
            return answered_json.answer(Answered.by(earlier, first=False))
        id_ = ctx.request().id
        settled = settled.model_copy(update={"id": id_})
        ctx.set(_SETTLED, settled, serde=_settled_json)
        await _answer_waiters(ctx, settled)
        self._send(ctx, "forget", waiter_json.serialize(id_), self._retention)
        return answered_json.answer(Answered.by(settled, first=True))

    def _send(
        self,
        ctx: ObjectContext | ObjectSharedContext,
        handler: str,
        body: bytes,
        delay: timedelta | None = None,
    ) -> None:
        ctx.generic_send(self._name, handler, body, key=ctx.key(), send_delay=delay)


async def _settled(ctx: ObjectContext | ObjectSharedContext) -> Settled | None:
    return await ctx.get(_SETTLED, serde=_settled_json)


async def _answer_waiters(ctx: ObjectContext, settled: Settled) -> None:
    for name in await ctx.state_keys():
        if name.startswith(_WAITER):
            _send_settled(ctx, name.removeprefix(_WAITER), settled)
            ctx.clear(name)


def _send_settled(ctx: ObjectContext, waiter: str, settled: Settled) -> None:
    ctx.resolve_signal(waiter, _SIGNAL, settled, serde=_settled_json)
