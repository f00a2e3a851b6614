"""`Key`: one key of a join in one invocation: its state, and the messages it sends."""

from datetime import timedelta
from typing import Self

from restate import ObjectContext

from parallelizework.events.joins.definition import JoinDefinition
from parallelizework.events.joins.events import state_of, store_state
from parallelizework.events.joins.models import (
    Added,
    Check,
    Checked,
    Collected,
    Discard,
    JoinReason,
    Round,
    Timer,
)
from parallelizework.events.joins.rounds import State
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json

added_json = Json[Added](Added, "the answer of add")
collected_json = Json[Collected](Collected, "what a key has collected")
timer_json = Message[Timer](Timer, "a timer of a round")
check_json = Message[Check](Check, "a check of the events")
checked_json = Message[Checked](Checked, "the result of a check")
round_json = Message[Round](Round, "a round that has ended")
discard_json = Message[Discard](Discard, "the events of a run that has started")

_SHORTEST = timedelta(milliseconds=1)  # of a timer


class Key:
    """One key of a join, in an invocation that has the key alone.

    Args:
        ctx: The context of the invocation.
        definition: The parts of the join.
        state: What is stored of the key.

    Attributes:
        state: What is to be stored of the key.
    """

    def __init__(
        self, ctx: ObjectContext, definition: JoinDefinition, state: State
    ) -> None:
        self.state = state
        self._ctx = ctx
        self._definition = definition
        self._rules = definition.rules

    @classmethod
    async def of(cls, ctx: ObjectContext, definition: JoinDefinition) -> Self:
        """Return the key of an invocation, with its stored state."""
        return cls(ctx, definition, await state_of(ctx))

    def change(self, **fields: object) -> None:
        """Change fields of the state."""
        self.state = self.state.model_copy(update=fields)

    def store(self) -> None:
        """Store the state."""
        store_state(self._ctx, self.state)

    async def begin_event(self) -> float:
        """Return the time of a new event. The first event starts the timers."""
        since = self.state.since
        if since is not None and not self._rules.quiet_for:
            return since  # nobody needs the time of this event
        now = await self._ctx.time()
        if since is None:
            self._start_timers(now)
        return now

    async def end_round(self, reason: JoinReason, end: int | None = None) -> None:
        """End the round, and start its run.

        Args:
            reason: Why the round ends.
            end: The offset after its last event; by default, all events are in it.
        """
        end = self.state.end if end is None else end
        has_more = end < self.state.end
        now = await self._ctx.time() if has_more else 0.0
        self.state = self.state.after(reason, end, now)
        self.send("start", round_json.serialize(self.state.ended[-1]))
        if self.state.since is not None:
            self._start_timers(self.state.since)

    def check(self) -> None:
        """Have `until` called for the new events, unless it is being called."""
        state = self.state
        is_checked = state.checked >= state.end
        if not self._definition.predicate or state.is_checking or is_checked:
            return
        assert state.since is not None, "a round with events has a time"
        check = Check(
            since=state.since, first=state.first, end=state.end, checked=state.checked
        )
        self.send("check", check_json.serialize(check))
        self.change(is_checking=True)

    def keep(self) -> None:
        """Start the timer that forgets the key, unless it is started."""
        if not self.state.is_kept:
            self.send("forget", b"", self._rules.retention)
            self.change(is_kept=True)

    async def quiet_time_left(self) -> timedelta | None:
        """Return how long no event may come until the round ends; None if it ends."""
        quiet_for, last = self._rules.quiet_for, self.state.last
        if quiet_for is None or last is None:
            return None
        passed = timedelta(seconds=await self._ctx.time() - last)
        # The clocks of two workers may differ: never wait longer than `quiet_for`.
        left = min(quiet_for - passed, quiet_for)
        return left if left >= _SHORTEST else None

    def send(self, handler: str, body: bytes, delay: timedelta | None = None) -> None:
        """Send a message to another handler of the key."""
        name, key = self._definition.name, self._ctx.key()
        self._ctx.generic_send(name, handler, body, key=key, send_delay=delay)

    def _start_timers(self, since: float) -> None:
        rules = {
            JoinReason.EXPIRED: self._rules.within,
            JoinReason.QUIET: self._rules.quiet_for,
        }
        for reason, delay in rules.items():
            if delay:
                body = timer_json.serialize(Timer(since=since, reason=reason))
                self.send("expire", body, delay)
