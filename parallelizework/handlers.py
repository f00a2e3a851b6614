"""The handlers of a fan-out's service, from `run` down to one subtask.

`run` hands its subtasks to `runSubtask` or `runBatch`, and the slices of a large run to
`runSegment`, which goes on in the same way. With `expand`, what `run` has are shards:
`runShard` expands one, and `runShards` coordinates a slice of them.
"""

from functools import partial
from typing import Any, TypeVar

from restate import Context, RunOptions, TerminalError

from parallelizework.batch import Batch, BatchRunner
from parallelizework.coordinator import fan_out
from parallelizework.definition import Definition
from parallelizework.fan_in import Combine, FanIn
from parallelizework.function import Function
from parallelizework.level import Level, Slice, typed, whole
from parallelizework.plan import SEGMENT, WINDOW
from parallelizework.serde import Json

T = TypeVar("T")


class Handlers:
    """The handlers of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        name, batch = definition.name, definition.policy.max_items_per_batch
        # With combine, few subtasks a coordinator: so few values wait to be combined.
        segment = WINDOW if definition.combine else SEGMENT
        self.values = Json[list[Any]](
            list[typed(definition.value.hint)],
            f"the list of values of a part of {name}",
            remedy="give the fan-out a combine, or let a value be a reference",
        )
        self._batch = Json[Batch[Any]](
            Batch[typed(definition.value.hint)],
            f"the values of a batch of {name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )
        self.subtasks = Level(
            name,
            definition.subtask,
            one="runSubtask" if batch == 1 else "runBatch",
            many="runSegment",
            batch=batch,
            segment=segment,
        )
        self.shards = Level(
            name,
            definition.shard,
            one="runShard",
            many="runShards",
            batch=batch,
            wide=True,
            segment=segment,
        )

    async def run(self, ctx: Context, body: bytes) -> bytes:
        """Split the task, execute its subtasks in parallel, aggregate their values."""
        this = self._definition
        task = this.task.deserialize(body)
        level = self.shards if this.expand else self.subtasks
        items = await self._step(ctx, this.split, level.items, task)
        values = await self._fan_out(ctx, level, whole(items, this.policy.slots))
        result = await self._step(ctx, this.aggregate, this.result, values)
        return this.result.answer(result)

    async def run_segment(self, ctx: Context, body: bytes) -> bytes:
        """Execute a slice of the subtasks of a large run."""
        part = self.subtasks.slice.deserialize(body)
        return self._answer(await self._fan_out(ctx, self.subtasks, part))

    async def run_shards(self, ctx: Context, body: bytes) -> bytes:
        """Execute a slice of many shards."""
        part = self.shards.slice.deserialize(body)
        return self._answer(await self._fan_out(ctx, self.shards, part))

    async def run_shard(self, ctx: Context, body: bytes) -> bytes:
        """Expand a shard and execute its subtasks."""
        part = self.shards.typed.deserialize(body)
        expand, level = self._definition.expand, self.subtasks
        assert expand, "there are shards only where there is expand"
        subtasks = await self._step(ctx, expand, level.items, *part.items)
        values = await self._fan_out(ctx, level, whole(subtasks, part.slots))
        return self._answer(values)

    async def run_batch(self, ctx: Context, body: bytes) -> bytes:
        """Execute a batch of subtasks as one durable step."""
        part = self.subtasks.typed.deserialize(body)
        policy = self._definition.policy
        runner = BatchRunner(self._definition.execute, part.slots, policy.max_attempts)

        async def step() -> Batch[Any]:
            return await runner.run(part.items)

        batch = await ctx.run_typed(
            "execute",
            step,
            RunOptions(serde=self._batch, max_attempts=policy.max_attempts),
        )
        for failure in batch.failures:
            index = part.first + failure.place
            raise TerminalError(
                f"subtask {index} failed: {failure.message}", failure.code
            )
        combine = self._combine(ctx)
        if combine and len(batch.values) > 1:
            return self._answer([await combine(batch.values)])
        return self._answer(batch.values)

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        this = self._definition
        subtask = this.subtask.deserialize(body)
        if this.execute.takes_context:
            return this.value.serialize(await this.execute(ctx, subtask))
        value = await self._step(ctx, this.execute, this.value, subtask)
        return this.value.serialize(value)

    async def _fan_out(self, ctx: Context, level: Level, part: Slice[Any]) -> list[Any]:
        """The values of a slice, in order; one value, where they are combined."""
        sent = level.calls(part)
        fan_in = FanIn(partial(self._read, single=sent.single), self._combine(ctx))
        await fan_out(ctx, sent.calls, fan_in.land, window=sent.window)
        return await fan_in.values()

    def _read(self, answer: bytes, *, single: bool) -> list[Any]:
        if single:
            return [self._definition.value.deserialize(answer)]
        return self.values.deserialize(answer)

    def _combine(self, ctx: Context) -> Combine | None:
        combine, value = self._definition.combine, self._definition.value
        return partial(self._step, ctx, combine, value) if combine else None

    def _answer(self, values: list[Any]) -> bytes:
        return self.values.serialize(values)

    async def _step(
        self, ctx: Context, function: Function, gives: Json[T], value: object
    ) -> T:
        """Journal `function(value)` as one durable step of bounded attempts."""

        async def step() -> T:
            return await function(value)

        attempts = self._definition.policy.max_attempts
        options = RunOptions[T](serde=gives, max_attempts=attempts)
        return await ctx.run_typed(function.role, step, options)
