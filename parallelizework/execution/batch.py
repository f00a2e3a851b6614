"""`Batch`: one invocation of `runBatch`, each subtask with an outcome of its own."""

import asyncio
from random import random
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context, RunOptions
from restate.serde import Serde

from parallelizework.attempts.attempt import attempted
from parallelizework.attempts.schedule import Miss, Schedule
from parallelizework.completion import Rule
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.headers import subtask_name
from parallelizework.messages import Outcomes, Slice
from parallelizework.outcomes import Attempt, Counts, Failure, Fault, known_values
from parallelizework.policy import Policy

_Outcome = bytes | Fault  # a value as JSON, or why there is none


class Batch:
    """The subtasks of a slice, executed concurrently by one durable step."""

    def __init__(
        self,
        ctx: Context,
        definition: ExecuteDefinition,
        policy: Policy,
        slice_: Slice[Any],
    ) -> None:
        self._ctx = ctx
        self._key = ctx.request().id
        self._definition = definition
        self._policy = policy
        self._slice = slice_
        self._slots = asyncio.Semaphore(slice_.slots)
        self._counts = Counts()
        self._outcomes: dict[int, _Outcome] = {}

    async def outcomes(self, outcomes_json: Serde[Outcomes]) -> Outcomes:
        """Execute the subtasks, as one step of the journal."""
        options = RunOptions[Outcomes](
            serde=outcomes_json, max_attempts=self._policy.max_attempts
        )
        return await self._ctx.run_typed("execute", self.execute, options)

    async def execute(self) -> Outcomes:
        """Execute the subtasks, until all have ended or the rule ends the run."""
        this, items, known = (
            self._slice,
            self._slice.items,
            known_values(self._slice.items),
        )
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
            return Fault.late(timeout)

    async def _tried(self, index: int, subtask: object) -> _Outcome:
        """The outcome of a subtask after all of its attempts."""
        this, part = self._definition, self._slice
        key = f"{self._key}-{index}"
        name = subtask_name(part.run, part.first + index, part.shard)
        about = f"service={this.name} function={this.function.name} {name}"
        timeout = self._policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None

        async def execute(number: int) -> bytes:
            given = (subtask, Attempt(number, key))[: this.arity]
            value = await this.function(*given, seconds=seconds)
            return this.value_json.serialize(value)

        schedule = Schedule(self._policy, random)
        while True:
            attempt = f"{about} attempt={schedule.number}"
            outcome = await attempted(attempt, execute, schedule.number)
            if not isinstance(outcome, Miss):
                return outcome
            pause = schedule.pause_after(outcome)
            if pause is None:
                return schedule.fault(outcome)
            await asyncio.sleep(pause)

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
