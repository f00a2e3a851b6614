"""The handlers of a fan-out's service, from `run` down to one subtask.

`run` hands its subtasks to `runSubtask` or `runBatch`, here or at an executor, and the
slices of a large run to `runSegment`, which goes on in the same way. With `expand`, it
has shards: `runShard` expands one, and `runShards` coordinates a slice of them.
"""

from functools import partial
from typing import Any

from restate import Context

from parallelizework.attempts.durable import Interrupted
from parallelizework.completion import CompletionReason
from parallelizework.coordination.coordinator import fan_out, within
from parallelizework.coordination.dispatch import Level
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.partition import SEGMENT, WINDOW
from parallelizework.coordination.reports import (
    ProgressReporter,
    Reporter,
    SignalReporter,
)
from parallelizework.coordination.slice import Slice
from parallelizework.coordination.steps import Steps
from parallelizework.coordination.verdict import attainable, check, final
from parallelizework.coordination.window import Alarms
from parallelizework.definition.definition import Definition
from parallelizework.outcomes import Part
from parallelizework.overrides import requested
from parallelizework.policy import Policy
from parallelizework.serde import Message


class Handlers:
    """The handlers of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        name = definition.name
        # With combine, few subtasks a coordinator: so few values wait to be combined.
        segment = WINDOW if definition.combine else SEGMENT
        self._steps = Steps(definition)
        self.part = Message[Part](
            Part,
            f"the list of values of a part of {name}",
            remedy="give the fan-out a combine, or let a value be a reference",
        )
        self.subtasks = Level(
            name,
            definition.items,
            executor=definition.executor,
            many="runSegment",
            gives_done=definition.gives_done,
            segment=segment,
        )
        self.shards = Level(
            name, definition.shard.hint, many="runShards", shards=True, segment=segment
        )

    async def run(self, ctx: Context, body: bytes) -> bytes:
        """Split the task, execute its subtasks in parallel, aggregate their values."""
        this = self._definition
        task = this.task.accept(body)
        overrides = this.said | requested(task)
        policy = this.policy_for(overrides)
        level = self.shards if this.expand else self.subtasks
        progress = ProgressReporter(ctx, this.name)
        alarms: Alarms = {progress.opening: progress.open}
        if policy.deadline:
            alarms[ctx.sleep(policy.deadline)] = _deadline_exceeded
        with progress.to_the_end():
            items, reason = await self._split(ctx, level, policy, task, alarms)
            total = None if this.expand or reason else len(items)
            rule = attainable(policy, total)
            progress.total = total
            progress.fan_in = fan_in = FanIn(rule, self._steps.combine(ctx, policy))
            whole = Slice[Any](
                run=ctx.request().id,
                slots=policy.slots,
                items=items,
                overrides=overrides,
                rule=rule,
            )
            reason = reason or await self._fan_out(
                ctx, level, whole, fan_in, progress, alarms=alarms
            )
            part = await fan_in.part()
            reason = CompletionReason.CANCELLED if part.cancelled else reason
            progress.reason = reason = final(policy, part.counts, total, reason)
            check(policy, part, reason, total)
            given = body, items
            return await self._steps.aggregate(ctx, policy, part, reason, given)

    async def run_segment(self, ctx: Context, body: bytes) -> bytes:
        """Execute a slice of the subtasks of a large run."""
        return await self._part(ctx, self.subtasks, self._slice(body))

    async def run_shards(self, ctx: Context, body: bytes) -> bytes:
        """Execute a slice of many shards."""
        return await self._part(ctx, self.shards, self._slice(body))

    async def run_shard(self, ctx: Context, body: bytes) -> bytes:
        """Expand a shard and execute its subtasks."""
        this, part = self._definition, self._slice(body)
        assert this.expand, "there are shards only where there is expand"
        policy = this.policy_for(part.overrides)
        shard = this.shard.typed(part.items[0])
        items = self.subtasks.items
        subtasks = await self._steps.listed(
            ctx, this.expand, items, policy, shard, size=len(body)
        )
        expanded = {"first": 0, "shard": part.first, "items": subtasks}
        part = part.model_copy(update=expanded)
        return await self._part(ctx, self.subtasks, part)

    async def run_batch(self, ctx: Context, body: bytes) -> bytes:
        """Execute a batch of subtasks as one durable step."""
        execution = self._definition.execution
        assert execution, "it is not another service's"
        return await execution.run_batch(ctx, body, self._steps.combine)

    async def _split(
        self, ctx: Context, level: Level, policy: Policy, task: object, alarms: Alarms
    ) -> tuple[list[Any], CompletionReason | None]:
        """The items of the task, or why the run has ended meanwhile."""
        settle = partial(within, alarms)
        split = self._definition.split
        try:
            found = await self._steps.listed(
                ctx,
                split,
                level.items,
                policy,
                task,
                size=len(ctx.request().body),
                settle=settle,
            )
        except Interrupted as end:
            return [], end.reason
        return found, None

    async def _part(self, ctx: Context, level: Level, part: Slice[Any]) -> bytes:
        """The outcomes of a slice, as the answer of a call."""
        policy = self._definition.policy_for(part.overrides)
        fan_in = FanIn(part.rule, self._steps.combine(ctx, policy))
        reporter = SignalReporter(
            ctx, part.reports, len(part.items), shards=level is self.shards
        )
        await self._fan_out(ctx, level, part, fan_in, reporter)
        return self.part.serialize(await fan_in.part())

    async def _fan_out(  # noqa: PLR0913 - what `fan_out` needs, and the slice
        self,
        ctx: Context,
        level: Level,
        part: Slice[Any],
        fan_in: FanIn,
        reporter: Reporter,
        *,
        alarms: Alarms | None = None,
    ) -> CompletionReason:
        policy = self._definition.policy_for(part.overrides)
        calls = level.calls(part, policy, lambda: fan_in.rest, ctx.request().id)
        answers = bool(policy.deadline) and policy.on_deadline == "answer"
        return await fan_out(
            ctx, calls, fan_in, reporter, alarms, answers_deadline=answers
        )

    def _slice(self, body: bytes) -> Slice[Any]:
        return self.subtasks.slice.deserialize(body)


def _deadline_exceeded() -> CompletionReason:
    return CompletionReason.DEADLINE_EXCEEDED
