"""The handler `runBatch`: several subtasks, each with an outcome of its own."""

import asyncio
from random import random
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context, RunOptions
from restate.serde import BytesSerde

from parallelizework.attempts.attempt import about, failed_attempt
from parallelizework.attempts.schedule import FailedAttempt, Schedule
from parallelizework.attempts.steps import Steps
from parallelizework.completion import Rule
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.headers import slice_name
from parallelizework.messages import Outcomes, Slice
from parallelizework.outcomes import Attempt, Counts, Failure, Fault, known_values
from parallelizework.policy import Policy
from parallelizework.serde.message import Message

_Outcome = bytes | Fault  # a value as JSON, or why there is none


class BatchHandler:
    """The handler `runBatch`.

    Args:
        definition: How a subtask is executed.
        fan_out: The fan-out that the service is; None for an executor.

    Attributes:
        slice_json: The subtasks of a batch.
        outcomes_json: The outcomes of a batch.
    """

    def __init__(
        self, definition: ExecuteDefinition, fan_out: Definition | None = None
    ) -> None:
        name = definition.name
        self.slice_json = Message[Slice[Any]](Slice[Any], f"a batch of {name}")
        self.outcomes_json = Message[Outcomes](
            Outcomes,
            f"the values of a batch of {name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )
        self._definition = definition
        self._fan_out = fan_out

    async def run_batch(self, ctx: Context, body: bytes) -> bytes:
        """Execute a batch of subtasks as one durable step."""
        slice_ = self.slice_json.deserialize(body)
        policy = self._definition.policy_for(slice_.overrides, batch=True)
        batch = Batch(self._definition, policy, slice_, ctx.request().id)

        async def execute() -> bytes:
            outcomes = await batch.outcomes()
            return self.outcomes_json.serialize(outcomes, len(body), "its subtasks")

        options = RunOptions[bytes](
            serde=BytesSerde(), max_attempts=policy.max_attempts
        )
        answer = await ctx.run_typed("execute", execute, options)
        if not (self._fan_out and self._fan_out.combine):
            return answer
        outcomes = self.outcomes_json.deserialize(answer)
        if len(outcomes.values) <= 1:
            return answer
        combined = await Steps(ctx, self._fan_out, policy).combine(outcomes.values)
        update = {"values": [combined]}
        return self.outcomes_json.serialize(outcomes.model_copy(update=update))


class Batch:
    """The subtasks of a slice, executed concurrently.

    Args:
        key: Names the batch among those of all runs.
    """

    def __init__(
        self,
        definition: ExecuteDefinition,
        policy: Policy,
        slice_: Slice[Any],
        key: str,
    ) -> None:
        self._definition = definition
        self._policy = policy
        timeout = policy.attempt_timeout
        self._seconds = timeout.total_seconds() if timeout else None
        self._slice = slice_
        self._key = key
        self._slots = asyncio.Semaphore(slice_.slots)
        self._counts = Counts()
        self._outcomes: dict[int, _Outcome] = {}

    async def outcomes(self) -> Outcomes:
        """Execute the subtasks, until all have ended or the rule ends the run."""
        this, items = self._slice, self._slice.items
        known = known_values(items)
        todo = [index for index in range(len(items)) if index not in known]
        typed = self._definition.subtasks_json.typed([items[index] for index in todo])
        enough = _enough(this.rule)
        for index, value in list(known.items())[:enough]:
            self._outcomes[index] = to_json(value)
        self._counts = Counts(succeeded=len(self._outcomes))
        if not this.rule.reason(self._counts):
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[None]] = []
                for index, subtask in zip(todo, typed, strict=True):
                    tasks.append(group.create_task(self._one(index, subtask, tasks)))
        return self._collected()

    async def _one(
        self, index: int, subtask: object, tasks: list["asyncio.Task[None]"]
    ) -> None:
        outcome = await self._within_its_timeout(index, subtask)
        rule = self._slice.rule
        if rule.reason(self._counts):
            return
        self._outcomes[index] = outcome
        status = outcome.status if isinstance(outcome, Fault) else "succeeded"
        self._counts += Counts(**{status: 1})
        if rule.reason(self._counts):
            for task in tasks:
                task.cancel()

    async def _within_its_timeout(self, index: int, subtask: object) -> _Outcome:
        timeout = self._policy.subtask_timeout
        seconds = timeout.total_seconds() if timeout else None
        try:
            async with self._slots, asyncio.timeout(seconds):  # from its slot on
                return await self._tried(index, subtask)
        except TimeoutError:
            assert timeout, "only a timeout ends it early"
            return Fault.timed_out_after(timeout)

    async def _tried(self, index: int, subtask: object) -> _Outcome:
        """The outcome of a subtask after all of its attempts."""
        schedule = Schedule(self._policy, random)
        while True:
            outcome = await self._attempt(index, subtask, schedule.number)
            if not isinstance(outcome, FailedAttempt):
                return outcome
            pause = schedule.pause_after(outcome)
            if pause is None:
                return schedule.fault(outcome)
            await asyncio.sleep(pause)

    async def _attempt(
        self, index: int, subtask: object, number: int
    ) -> bytes | FailedAttempt:
        this, part = self._definition, self._slice
        try:
            given = (subtask, Attempt(number, f"{self._key}-{index}"))[: this.arity]
            value = await this.function(*given, seconds=self._seconds)
            return this.value_json.serialize(value)
        except Exception as error:
            name = f"{slice_name(part.run, part.shard)} index={part.first + index}"
            tried = about(this.name, this.function, name)
            return failed_attempt(f"{tried} attempt={number}", error)

    def _collected(self) -> Outcomes:
        part = self._slice
        values: list[bytes] = []
        failures: list[Failure[Any]] = []
        for index, outcome in sorted(self._outcomes.items()):
            if isinstance(outcome, Fault):
                failure = outcome.failure(
                    part.items[index], index=part.first + index, shard=part.shard
                )
                failures.append(failure)
            else:
                values.append(outcome)
        plain = from_json(b"[" + b",".join(values) + b"]")
        return Outcomes(succeeded=len(values), values=plain, failures=failures)


def _enough(rule: Rule) -> int | None:
    """How many successes end a run; None for all."""
    if rule.race:
        return 1
    return None if rule.min_successful is None else max(0, rule.min_successful)
