"""The handler `runBatch`: several subtasks in one call, each with its own outcome."""

import asyncio
from math import inf
from random import random
from time import monotonic
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context, RunOptions
from restate.serde import BytesSerde

from parallelizework.attempts.attempt import attempted
from parallelizework.attempts.recorded_answer import (
    needs_no_step,
    recorded_answer,
    without_step,
)
from parallelizework.attempts.schedule import FailedAttempt, Schedule
from parallelizework.attempts.steps import Steps
from parallelizework.attempts.time_left import time_left
from parallelizework.completion import Rule
from parallelizework.coordination.planning.pace import seconds_of_one
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.headers import SubtaskId
from parallelizework.messages import FullIndex, Outcomes, Rest, Slice
from parallelizework.observation.observed import ObservedAttempt, ObservedBatch
from parallelizework.observation.observer import observed, subtask_ended
from parallelizework.outcomes import Attempt, Counts, Failure, Fault, known_values
from parallelizework.policy import Policy
from parallelizework.serde.message import Message
from parallelizework.waiting.models import answer_key

_Outcome = bytes | Fault  # a value as JSON, or why the subtask failed


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
        batch = Batch(
            self._definition,
            policy,
            slice_,
            ctx.request().id,
        )

        async def execute() -> bytes:
            start = monotonic()
            with observed(batch.observed):
                outcomes = await batch.outcomes()
            if policy.is_automatic:
                took, size = monotonic() - start, len(body) + batch.size
                each = seconds_of_one(took, size, len(slice_.items), slice_.slots)
                outcomes = outcomes.model_copy(update={"seconds": each})
            return self.outcomes_json.serialize(outcomes, len(body), "its subtasks")

        options = RunOptions[bytes](
            serde=BytesSerde(), max_attempts=policy.max_attempts
        )
        if not (self._fan_out and self._fan_out.combine):
            # The answer is durable as it is.
            if (recorded := recorded_answer()) is not None:
                return recorded
            if needs_no_step(ctx):
                return await without_step(ctx, execute)
            return await ctx.run_typed("execute", execute, options)
        answer = await ctx.run_typed("execute", execute, options)
        outcomes = self.outcomes_json.deserialize(answer)
        if len(outcomes.values) <= 1:
            return answer
        combined = await Steps(ctx, self._fan_out, policy).combine(outcomes.values)
        update = {"values": [combined]}
        return self.outcomes_json.serialize(outcomes.model_copy(update=update))


class Batch:
    """The subtasks of one batch. They are executed concurrently, in one event loop.

    Args:
        definition: The function that executes subtasks.
        policy: The policy of the run.
        slice_: The subtasks, their slots and the completion rule.
        invocation: The id of the invocation.
    """

    def __init__(
        self,
        definition: ExecuteDefinition,
        policy: Policy,
        slice_: Slice[Any],
        invocation: str,
    ) -> None:
        self._definition = definition
        self._policy = policy
        timeout = policy.attempt_timeout
        self._seconds = timeout.total_seconds() if timeout else None
        self._slice = slice_
        self._invocation = invocation
        self._key = answer_key(definition.name, invocation)
        self._slots = asyncio.Semaphore(slice_.slots)
        self._counts = Counts()
        self._outcomes: dict[int, _Outcome] = {}

    @property
    def size(self) -> int:
        """The size of the values so far as JSON, in bytes."""
        values = (each for each in self._outcomes.values() if isinstance(each, bytes))
        return sum(map(len, values))

    @property
    def observed(self) -> ObservedBatch:
        """What observers see of the batch."""
        slice_ = self._slice
        return ObservedBatch(
            service=self._definition.name,
            run=slice_.run,
            subtasks=len(slice_.items),
            slots=slice_.slots,
        )

    async def outcomes(self) -> Outcomes:
        """Execute the subtasks, until all have ended or the rule ends the batch."""
        rule, items = self._slice.rule, self._slice.items
        known = known_values(items)
        indexes = [index for index in range(len(items)) if index not in known]
        subtasks = self._definition.subtasks_json.typed([items[i] for i in indexes])
        for index, value in list(known.items())[: _needed_successes(rule)]:
            self._outcomes[index] = to_json(value)
        self._counts = Counts(succeeded=len(self._outcomes))
        if not rule.reason(self._counts):
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[None]] = []
                for index, subtask in zip(indexes, subtasks, strict=True):
                    execution = self._execute(index, subtask, tasks)
                    tasks.append(group.create_task(execution))
        return self._collected()

    async def _execute(
        self, index: int, subtask: object, tasks: list["asyncio.Task[None]"]
    ) -> None:
        """Execute one subtask. If its outcome meets the rule, cancel all others."""
        outcome = await self._within_timeout(index, subtask)
        rule = self._slice.rule
        if rule.reason(self._counts):
            return
        self._outcomes[index] = outcome
        status = outcome.status if isinstance(outcome, Fault) else "succeeded"
        self._counts += Counts(**{status: 1})
        subtask_ended(self._definition.name, status)
        if rule.reason(self._counts):
            for task in tasks:
                task.cancel()

    async def _within_timeout(self, index: int, subtask: object) -> _Outcome:
        """The outcome of a subtask. Its timeout starts when it has a slot."""
        timeout = self._policy.subtask_timeout
        seconds = timeout.total_seconds() if timeout else None
        try:
            async with self._slots, asyncio.timeout(seconds):
                return await self._attempts(index, subtask)
        except TimeoutError:
            assert timeout, "only subtask_timeout raises TimeoutError here"
            return Fault.timed_out_after(timeout)

    async def _attempts(self, index: int, subtask: object) -> _Outcome:
        """The outcome of a subtask after all of its attempts."""
        schedule = Schedule(self._policy, random)
        while True:
            outcome = await self._attempt(index, subtask, schedule.number)
            if not isinstance(outcome, FailedAttempt):
                return outcome
            limit = time_left()
            longest = limit.seconds if limit else inf
            pause = schedule.pause_after(outcome, longest)
            if pause is None:
                return schedule.fault(outcome)
            await asyncio.sleep(pause)

    async def _attempt(
        self, index: int, subtask: object, number: int
    ) -> bytes | FailedAttempt:
        definition, function = self._definition, self._definition.function

        async def execute() -> bytes:
            attempt = Attempt(number, f"{self._key}-{index}")
            arguments = (subtask, attempt)[: definition.arity]
            value = await function(*arguments, seconds=self._seconds)
            return definition.serialize(value)

        return await attempted(lambda: self._observed(index, number), execute)

    def _observed(self, index: int, number: int) -> ObservedAttempt:
        """What observers see of an attempt at a subtask."""
        definition, function = self._definition, self._definition.function
        return ObservedAttempt(
            service=definition.name,
            role=function.role,
            function=function.qualname,
            number=number,
            subtask_id=lambda: self._subtask_id(index),
            invocation=self._invocation,
            is_in_batch=True,
            is_sync=not function.is_async,
        )

    def _subtask_id(self, index: int) -> SubtaskId:
        slice_ = self._slice
        number, name = slice_.index_of(index), slice_.name_of(index)
        return SubtaskId(slice_.run, number, slice_.shard, name)

    def _collected(self) -> Outcomes:
        slice_, shard = self._slice, self._slice.shard
        values: list[bytes] = []
        failures: list[Failure[Any]] = []
        full_indexes: list[FullIndex] = []
        for position, outcome in sorted(self._outcomes.items()):
            index = slice_.index_of(position)
            if isinstance(outcome, Fault):
                item = slice_.items[position]
                name = slice_.name_of(position)
                failure = outcome.failure(item, index=index, shard=shard, name=name)
                failures.append(failure)
            else:
                values.append(outcome)
                full_indexes.append((shard, index))
        plain = from_json(b"[" + b",".join(values) + b"]")
        return Outcomes(
            succeeded=len(values),
            values=plain,
            failures=failures,
            full_indexes=[] if slice_.indexes is None else full_indexes,
            rest=self._rest(),
        )

    def _rest(self) -> list[Rest]:
        """The subtasks that had not ended when the rule failed the batch."""
        slice_ = self._slice
        if not self._policy.is_redrivable or not slice_.rule.has_failed(self._counts):
            return []
        others = [n for n in range(len(slice_.items)) if n not in self._outcomes]
        if not others:
            return []
        rest = Rest(
            first=0,
            indexes=[slice_.index_of(position) for position in others],
            shard=slice_.shard,
            items=[slice_.items[position] for position in others],
        )
        return [rest]


def _needed_successes(rule: Rule) -> int | None:
    """How many successes end the batch; None if all are needed."""
    if rule.race:
        return 1
    return None if rule.min_successful is None else max(0, rule.min_successful)
