"""A batch: several subtasks executed by one call, each with an outcome of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import random
from typing import Any

from pydantic_core import from_json, to_json

from parallelizework.attempts.attempt import Attempt, Attempts, Miss, attempted
from parallelizework.completion import Counts, Rule
from parallelizework.coordination.slice import Slice
from parallelizework.outcomes import Failure, Fault, Part
from parallelizework.policy import Policy
from parallelizework.subtask_name import SubtaskName

Outcomes = dict[int, bytes | Fault]


@dataclass(frozen=True)
class BatchRunner:
    """Executes the subtasks of a batch concurrently, each with its own attempts.

    Args:
        execute: Makes one attempt at a subtask, which gives its value as JSON.
        typed: Subtasks, from plain JSON.
        key: Names the batch among all.
        about: Who executes, for the log.
    """

    execute: Callable[[Any, Attempt], Awaitable[bytes]]
    typed: Callable[[list[Any]], list[Any]]
    policy: Policy
    key: str
    about: str

    async def run(self, part: Slice[Any], values: Mapping[int, Any]) -> Part:
        """Execute all, or until the rule ends the run; one's failure is its own.

        Args:
            values: Those that are known already, in order, by index in the batch.
        """
        todo = [index for index in range(len(part.items)) if index not in values]
        subtasks = self.typed([part.items[index] for index in todo])
        known: Outcomes = {
            index: to_json(value)
            for index, value in islice(values.items(), _enough(part.rule))
        }
        executed = await self._executed(
            dict(zip(todo, subtasks, strict=True)), part, Counts(succeeded=len(known))
        )
        return _part(part, known | executed)

    async def _executed(
        self, subtasks: Mapping[int, Any], part: Slice[Any], counts: Counts
    ) -> Outcomes:
        """The outcomes of those that are not known.

        Args:
            counts: Of those that are.
        """
        outcomes: Outcomes = {}
        slots, rule = asyncio.Semaphore(part.slots), part.rule
        first = SubtaskName(part.run, part.first, part.shard)

        async def one(index: int, subtask: object) -> None:
            nonlocal counts
            key, name = f"{self.key}-{index}", first.moved(index)
            about = f"{self.about} {name}"
            outcome = await self._outcome(slots, subtask, key, about)
            if rule.reason(counts):
                return
            outcomes[index] = outcome
            kind = outcome.status if isinstance(outcome, Fault) else "succeeded"
            counts += Counts(**{kind: 1})
            if rule.reason(counts):
                for task in tasks:
                    task.cancel()

        if rule.reason(counts):
            return outcomes
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(*each)) for each in subtasks.items()]
        return outcomes

    async def _outcome(
        self, slots: asyncio.Semaphore, subtask: object, key: str, about: str
    ) -> bytes | Fault:
        timeout = self.policy.subtask_timeout
        attempts = Attempts(self.policy, asyncio.sleep, random)

        async def once(number: int) -> bytes | Miss:
            execute = partial(self.execute, subtask, Attempt(number, key))
            return await attempted(f"{about} attempt={number}", execute)

        seconds = timeout.total_seconds() if timeout else None
        try:
            async with slots, asyncio.timeout(seconds):  # which is when it is called
                outcome = await attempts.until_final(once)
                return outcome.fault if isinstance(outcome, Miss) else outcome
        except TimeoutError:
            assert timeout, "only a timeout ends it early"
            return Fault.late(timeout)


def _enough(rule: Rule) -> int | None:
    """How many successes end a run; None for all."""
    if rule.race:
        return 1
    return None if rule.min_successful is None else max(0, rule.min_successful)


def _part(part: Slice[Any], outcomes: Outcomes) -> Part:
    values: list[bytes] = []
    failures: list[Failure[Any]] = []
    for place, outcome in sorted(outcomes.items()):
        if isinstance(outcome, Fault):
            index, subtask = part.first + place, part.items[place]
            failures.append(outcome.failure(subtask, index=index, shard=part.shard))
        else:
            values.append(outcome)
    plain = from_json(b"[" + b",".join(values) + b"]")
    return Part(succeeded=len(values), values=plain, failures=failures)
