"""`KeptState`: the state of a key, which a virtual object forgets after a time."""

from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from restate import ObjectContext, ObjectSharedContext

from parallelizework.serde.message import Message
from parallelizework.waiting.models import Answer, Waiter, answer_name

_STATE = "state"

answer_json = Message[Answer](Answer, "an answer")


class KeptState(BaseModel):
    """What is known of one key.

    Attributes:
        timer: The id of the invocation that has set the time after which the key is
            forgotten.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    timer: str = ""


State = TypeVar("State", bound=KeptState)


class Kept(Generic[State]):
    """The states of the keys of a virtual object.

    Args:
        name: The name of the object. It has a handler `forget`.
        state: The model of a state.
    """

    def __init__(self, name: str, state: type[State]) -> None:
        self._name = name
        self._state = state
        self._json = Message[State](state, f"a state of {name}")

    async def get(self, ctx: ObjectContext | ObjectSharedContext) -> State:
        """Return the state of the key; a new state if nothing is known of the key."""
        return await ctx.get(_STATE, serde=self._json) or self._state()

    def set(self, ctx: ObjectContext, state: State) -> None:
        """Store the state. The time after which the key is forgotten stays the same."""
        ctx.set(_STATE, state, serde=self._json)

    def keep(self, ctx: ObjectContext, state: State, kept_for: timedelta) -> None:
        """Store the state, and forget the key after a time from now on."""
        timer = ctx.request().id
        self.set(ctx, state.model_copy(update={"timer": timer}))
        body = timer.encode()
        ctx.generic_send(self._name, "forget", body, key=ctx.key(), send_delay=kept_for)

    async def forget(self, ctx: ObjectContext, body: bytes) -> None:
        """Forget the key, unless its time was set anew."""
        if (await self.get(ctx)).timer == body.decode():
            ctx.clear_all()


def send_answer(ctx: ObjectContext, waiter: Waiter, answer: Answer) -> None:
    """Send an answer to a subtask that waits."""
    name = answer_name(waiter.number)
    ctx.resolve_signal(waiter.invocation, name, answer, serde=answer_json)
