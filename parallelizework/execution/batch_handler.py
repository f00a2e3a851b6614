"""The handler `runBatch`: several subtasks in one call, each with its own outcome."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

from restate import Context, RestateDurableFuture, RunOptions
from restate.serde import BytesSerde

from parallelizework.attempts.recorded_answer import (
    needs_no_step,
    recorded_answer,
    without_step,
)
from parallelizework.attempts.steps import Steps
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.execution.batch import Batch
from parallelizework.execution.turn import Turn, is_turn
from parallelizework.messages import Outcomes, Slice
from parallelizework.observation.observer import observed
from parallelizework.policy import Policy
from parallelizework.serde.message import Message

_HELD = "its subtasks"
_SHORT_PAUSE = 1.0  # seconds: for a shorter one, another invocation costs more


class BatchHandler:
    """The handler `runBatch`.

    Args:
        definition: The function that executes subtasks.
        fan_out: The fan-out of the service; None for an executor.

    Attributes:
        slice_json: JSON of the slice that the handler accepts.
        outcomes_json: JSON of the outcomes that the handler returns.
    """

    def __init__(
        self, definition: ExecuteDefinition, fan_out: Definition | None = None
    ) -> None:
        name = definition.name
        self.slice_json = Message[Slice[Any]](Slice[Any], f"a batch of {name}")
        self.outcomes_json = Message[Outcomes](
            Outcomes,
            f"the values of a batch of {name}",
            remedy="use a smaller max_items_per_batch, or a reference as value",
        )
        self._definition = definition
        self._fan_out = fan_out

    async def run_batch(self, ctx: Context, body: bytes) -> bytes:
        """Execute a batch of subtasks; all their outcomes are durable together.

        Args:
            ctx: The context of the invocation.
            body: The slice with the subtasks, as JSON.

        Returns:
            The outcomes as JSON.

        Raises:
            TerminalError: The slice is invalid, or its outcomes are too large together.
        """
        slice_ = self.slice_json.deserialize(body)
        policy = self._definition.policy_for(slice_.overrides, batch=True)
        combines = self._fan_out and self._fan_out.combine
        if not combines and (recorded := recorded_answer()) is not None:
            return recorded
        batch = partial(
            Batch,
            self._definition,
            policy,
            slice_,
            ctx.request().id,
            read=lambda: self.slice_json.deserialize(body).items,
        )
        turns = _Turns(ctx, policy, batch, len(body), self.outcomes_json)
        answer = await turns.outcomes(needs_steps=bool(combines))
        if not (self._fan_out and combines):
            return answer
        outcomes = self.outcomes_json.deserialize(answer)
        if len(outcomes.values) <= 1:
            return answer
        combined = await Steps(ctx, self._fan_out, policy).combine(outcomes.values)
        update = {"values": [combined]}
        return self.outcomes_json.serialize(outcomes.model_copy(update=update))


@dataclass(frozen=True)
class _Turns:
    """Executes a batch. That takes one turn, unless the time of a call is limited.

    Attributes:
        ctx: The context of the invocation.
        policy: The policy of the run.
        batch: Returns the batch for the turn after others.
        size: The size of the slice as JSON, in bytes.
        outcomes_json: JSON of the outcomes.
    """

    ctx: Context
    policy: Policy
    batch: Callable[[Turn], Batch]
    size: int
    outcomes_json: Message[Outcomes]

    async def outcomes(self, *, needs_steps: bool) -> bytes:
        """Return the outcomes of the batch as JSON.

        Args:
            needs_steps: Whether the outcomes are not the answer of the invocation. An
                answer is durable as it is, so the first turn needs no step.
        """
        before = Turn()
        execute = partial(self._turn, before)
        if not needs_steps and needs_no_step(self.ctx):
            outcomes = await without_step(self.ctx, execute)
            if is_turn(outcomes):
                outcomes = await self._step(partial(_returned, outcomes))
        else:
            outcomes = await self._step(execute)
        while is_turn(outcomes):
            before = before.then(Turn.model_validate_json(outcomes))
            if before.pause > _SHORT_PAUSE:
                await self.ctx.sleep(timedelta(seconds=before.pause))
                before = before.after(before.pause)
            outcomes = await self._step(partial(self._turn, before))
        return outcomes

    async def _turn(self, before: Turn) -> bytes:
        """Execute one turn. Return it, or the outcomes of the batch, as JSON."""
        start, batch = monotonic(), self.batch(before)
        with observed(batch.observed):
            await batch.execute()
        seconds = monotonic() - start
        if not batch.has_ended:
            turn = batch.turn(seconds).model_dump_json().encode()
            return self.outcomes_json.checked(turn, self.size, _HELD)
        outcomes = batch.outcomes()
        if self.policy.is_automatic:
            each = batch.seconds_of_one(before.seconds + seconds, self.size)
            outcomes = outcomes.model_copy(update={"seconds": each})
        return self.outcomes_json.serialize(outcomes, self.size, _HELD)

    def _step(
        self, action: Callable[[], Coroutine[Any, Any, bytes]]
    ) -> RestateDurableFuture[bytes]:
        options = RunOptions[bytes](
            serde=BytesSerde(), max_attempts=self.policy.max_attempts
        )
        return self.ctx.run_typed("execute", action, options)


async def _returned(outcomes: bytes) -> bytes:
    return outcomes
