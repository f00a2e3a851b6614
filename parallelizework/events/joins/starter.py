"""`Starter`: the handlers of a join that call the user's functions."""

from functools import partial
from typing import Any

from pydantic_core import from_json, to_json
from restate import ObjectSharedContext, TerminalError

from parallelizework.attempts.retries import Retries, fresh
from parallelizework.events.joins.definition import JoinDefinition
from parallelizework.events.joins.events import read_events
from parallelizework.events.joins.key import (
    check_json,
    checked_json,
    round_json,
)
from parallelizework.events.joins.models import Checked, Round
from parallelizework.messages import HandlerName
from parallelizework.policy import Policy
from parallelizework.serde.message_limit import message_limit
from parallelizework.terminal_errors import is_cancelled

_SECONDS = 60.0  # for one call of `until` or `task`


class Starter:
    """The shared handlers `check` and `start`: the key accepts events meanwhile.

    Args:
        definition: The parts of the join.
    """

    def __init__(self, definition: JoinDefinition) -> None:
        self._definition = definition

    async def check(self, ctx: ObjectSharedContext, body: bytes) -> bytes:
        """Call `until` for the new events, one after the other."""
        check = check_json.deserialize(body)
        events = await read_events(ctx, check.first, check.end)
        result = Checked(check=check)
        if events:  # otherwise the round has ended meanwhile
            try:
                count = await self._enough(ctx, events, check.checked - check.first)
            except TerminalError as error:
                result = Checked(check=check, problem=_problem(error))
            else:
                end = check.first + count if count else None
                result = Checked(check=check, end=end)
        self._send(ctx, "checked", checked_json.serialize(result))
        return b""

    async def start(self, ctx: ObjectSharedContext, body: bytes) -> bytes:
        """Make the task from the events of a round, and start its run."""
        round_ = round_json.deserialize(body)
        events = await read_events(ctx, round_.first, round_.end)
        if events is None:  # `retry` was called while the run started
            return b""
        key = f"{self._definition.name}/{ctx.key()}/{round_.number}/{round_.since}"
        try:
            task = await self._task(ctx, round_, events)
        except TerminalError as error:
            update = {"problem": _problem(error)}
        else:
            sent = ctx.generic_send(
                self._definition.into, HandlerName.RUN, task, idempotency_key=key
            )
            update = {"run": await sent.invocation_id(), "problem": None}
        started = round_json.serialize(round_.model_copy(update=update))
        self._send(ctx, "started", started)
        return b""

    async def _enough(
        self, ctx: ObjectSharedContext, events: bytes, checked: int
    ) -> int:
        """Return how many of the first events are enough for `until`; 0 if none are."""
        predicate = self._definition.predicate
        assert predicate, "only a join whose until is a function calls it"
        read = partial(self._definition.events_json.deserialize, events)
        copies = fresh(read(), read)

        async def execute(_number: int) -> bytes:
            typed = next(copies)
            for count in range(checked + 1, len(typed) + 1):
                if await predicate(typed[:count], seconds=_SECONDS):
                    return to_json(count)
            return b"0"

        return from_json(await self._retries(ctx).value(predicate, execute))

    async def _task(
        self, ctx: ObjectSharedContext, round_: Round, events: bytes
    ) -> bytes:
        """Return the task of a round, as JSON."""
        definition, task = self._definition, self._definition.task
        if not task:
            return events
        arguments: dict[str, Any] = {"key": ctx.key(), "reason": round_.reason}
        read = partial(definition.events_json.deserialize, events)
        copies = fresh(read(), read)

        # The journal has the events once, and the task twice: the step and the call.
        held = (message_limit.size + len(events)) // 2

        async def execute(_number: int) -> bytes:
            given = {**arguments, "events": next(copies)}
            values = map(given.get, definition.arguments)
            made = await task(*values, seconds=_SECONDS)
            return definition.task_json.serialize(made, held, "its events")

        return await self._retries(ctx).value(task, execute)

    def _retries(self, ctx: ObjectSharedContext) -> Retries:
        return Retries(ctx, self._definition.name, Policy())

    def _send(self, ctx: ObjectSharedContext, handler: str, body: bytes) -> None:
        ctx.generic_send(self._definition.name, handler, body, key=ctx.key())


def _problem(error: TerminalError) -> str:
    """Return why the user's function has failed.

    Raises:
        TerminalError: Somebody cancelled the invocation.
    """
    if is_cancelled(error):
        raise error
    return error.message
