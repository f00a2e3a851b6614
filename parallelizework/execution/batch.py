"""`Batch`: several subtasks that are executed in one call, each with its outcome."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from random import random
from time import monotonic
from typing import Any

from pydantic_core import from_json, to_json

from parallelizework.attempts.attempt import attempted
from parallelizework.attempts.retry_schedule import FailedAttempt, RetrySchedule
from parallelizework.attempts.time_left import time_left
from parallelizework.completion import Rule
from parallelizework.coordination.planning.pace import seconds_of_one
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.execution.turn import Turn, Unfinished
from parallelizework.headers import SubtaskId
from parallelizework.messages import FullIndex, Outcomes, Rest, Slice
from parallelizework.observation.observed import ObservedAttempt, ObservedBatch
from parallelizework.observation.observer import subtask_ended
from parallelizework.outcomes import Attempt, Counts, Failure, Fault, known_values
from parallelizework.policy import Policy
from parallelizework.waiting.models import answer_key

_Outcome = bytes | Fault  # a value as JSON, or why the subtask failed
_NOTHING = Turn()


class Batch:
    """The subtasks of one batch. They are executed concurrently, in one event loop.

    Args:
        definition: The function that executes subtasks.
        policy: The policy of the run.
        slice_: The subtasks, their slots and the completion rule.
        invocation: The id of the invocation.
        before: What earlier turns have done.
        read: Returns the items of the slice again. By default, those of `slice_`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is a part of the work
        self,
        definition: ExecuteDefinition,
        policy: Policy,
        slice_: Slice[Any],
        invocation: str,
        before: Turn = _NOTHING,
        read: Callable[[], list[Any]] | None = None,
    ) -> None:
        self._definition = definition
        self._policy = policy
        timeout = policy.attempt_timeout
        self._seconds = timeout.total_seconds() if timeout else None
        self._slice = slice_
        self._invocation = invocation
        self._key = answer_key(definition.name, invocation)
        self._slots = asyncio.Semaphore(slice_.slots)
        self._before = before
        values = {number: to_json(value) for number, value in before.values.items()}
        self._outcomes: dict[int, _Outcome] = {**values, **before.faults}
        self._counts = Counts()
        self._unfinished: dict[int, tuple[Unfinished, float]] = {}  # and since when
        self._has_time = True  # at the start of this turn
        self._longest = 0.0  # seconds: the longest attempt of this turn
        self._read = read or (lambda: slice_.items)
        self._again: dict[int, object] = {}  # items that were read again

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

    @property
    def has_ended(self) -> bool:
        """Whether the batch needs no other turn after `execute`.

        A subtask has no outcome if its function has cancelled its own task.
        """
        return not self._unfinished or bool(self._slice.rule.reason(self._counts))

    async def execute(self) -> None:
        """Execute the subtasks, until the batch has ended or no time is left."""
        rule, items = self._slice.rule, self._slice.items
        known = known_values(items)
        for index, value in list(known.items())[: _needed_successes(rule)]:
            self._outcomes[index] = to_json(value)
        self._counts = _counts(self._outcomes)
        limit = time_left()
        self._has_time = limit is None or limit.seconds > 0
        if rule.reason(self._counts):
            return
        others, begun = range(len(items)), self._before.unfinished
        indexes = [i for i in others if i not in known and i not in self._outcomes]
        indexes.sort(key=lambda index: index not in begun)
        subtasks = self._definition.subtasks_json.typed([items[i] for i in indexes])
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            for index, subtask in zip(indexes, subtasks, strict=True):
                execution = self._execute(index, subtask, begun.get(index), tasks)
                tasks.append(group.create_task(execution))

    def turn(self, seconds: float) -> Turn:
        """Return what this turn has done.

        Args:
            seconds: How long it took.
        """
        before, now = self._before, asyncio.get_running_loop().time()
        unfinished = self._unfinished.items()
        new = sorted(
            self._outcomes.keys() - before.values.keys() - before.faults.keys()
        )
        outcomes = [(number, self._outcomes[number]) for number in new]
        return Turn(
            unfinished={n: each.after(now - since) for n, (each, since) in unfinished},
            values={n: from_json(o) for n, o in outcomes if isinstance(o, bytes)},
            faults={n: o for n, o in outcomes if isinstance(o, Fault)},
            seconds=seconds,
        )

    def seconds_of_one(self, seconds: float, size: int) -> float:
        """Return how long one subtask takes on one slot.

        Args:
            seconds: How long the batch took.
            size: The size of its slice as JSON, in bytes.
        """
        values = (each for each in self._outcomes.values() if isinstance(each, bytes))
        size += sum(map(len, values))
        slice_ = self._slice
        return seconds_of_one(seconds, size, len(slice_.items), slice_.slots)

    async def _execute(
        self,
        index: int,
        subtask: object,
        begun: Unfinished | None,
        tasks: list["asyncio.Task[None]"],
    ) -> None:
        """Execute one subtask. If its outcome meets the rule, cancel all others."""
        outcome = await self._within_timeout(index, subtask, begun)
        rule = self._slice.rule
        if rule.reason(self._counts):
            return
        if isinstance(outcome, Unfinished):
            self._unfinished[index] = outcome, asyncio.get_running_loop().time()
            is_over = len(self._unfinished) == self._slice.slots
        else:
            self._outcomes[index] = outcome
            status = outcome.status if isinstance(outcome, Fault) else "succeeded"
            self._counts += Counts(**{status: 1})
            subtask_ended(self._definition.name, status)
            is_over = bool(rule.reason(self._counts))
        if is_over:
            for task in tasks:
                task.cancel()

    async def _within_timeout(
        self, index: int, subtask: object, begun: Unfinished | None
    ) -> _Outcome | Unfinished:
        """The outcome of a subtask. Its timeout starts when it has a slot.

        An unfinished subtask keeps its slot, so no other subtask begins instead.
        """
        timeout = self._policy.subtask_timeout
        seconds = timeout.total_seconds() if timeout else None
        left = begun.left if begun else seconds
        if timeout and left is not None and left <= 0:
            return Fault.timed_out_after(timeout)
        await self._slots.acquire()
        timer = asyncio.timeout(left)
        try:
            async with timer:
                outcome = await self._attempts(index, subtask, begun, timer)
        except TimeoutError:
            assert timeout, "only subtask_timeout raises TimeoutError here"
            outcome = Fault.timed_out_after(timeout)
        except BaseException:
            self._slots.release()
            raise
        if not isinstance(outcome, Unfinished):
            self._slots.release()
        return outcome

    async def _attempts(
        self,
        index: int,
        subtask: object,
        begun: Unfinished | None,
        timer: asyncio.Timeout,
    ) -> _Outcome | Unfinished:
        """The outcome of a subtask after all of its attempts."""
        schedule = RetrySchedule(
            self._policy, random, begun.attempts if begun else None
        )
        pause = begun.pause if begun else 0.0
        while True:
            if unfinished := self._without_time(schedule, pause, timer):
                return unfinished
            if pause > 0:
                await asyncio.sleep(pause)
                pause = 0.0
                continue  # no time may be left now
            start = monotonic()
            outcome = await self._attempt(index, subtask, schedule.number)
            self._longest = max(self._longest, monotonic() - start)
            if not isinstance(outcome, FailedAttempt):
                return outcome
            next_pause = schedule.pause_after(outcome) if self._has_time else None
            if next_pause is None:
                return schedule.fault(outcome)
            pause, subtask = next_pause, self._read_again(index)

    def _without_time(
        self, schedule: RetrySchedule, pause: float, timer: asyncio.Timeout
    ) -> Unfinished | None:
        """The subtask, if no time is left for its pause and its next attempt.

        An attempt needs as much time as the longest one of this turn.
        """
        limit = time_left()
        if limit is None or not self._has_time:
            return None
        end = timer.when()
        left = None if end is None else end - asyncio.get_running_loop().time()
        subtask = Unfinished(attempts=schedule.attempts, pause=pause, left=left)
        return subtask if subtask.wait >= limit.seconds - self._longest else None

    def _read_again(self, index: int) -> object:
        """A subtask as it was: the last attempt may have changed it."""
        if index not in self._again:
            self._again = dict(enumerate(self._read()))
        [subtask] = self._definition.subtasks_json.typed([self._again.pop(index)])
        return subtask

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

    def outcomes(self) -> Outcomes:
        """Return the outcomes of the batch, after its end."""
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


def _counts(outcomes: Mapping[int, _Outcome]) -> Counts:
    statuses = [
        o.status if isinstance(o, Fault) else "succeeded" for o in outcomes.values()
    ]
    return Counts(**Counter(statuses))


def _needed_successes(rule: Rule) -> int | None:
    """How many successes end the batch; None if all are needed."""
    if rule.race:
        return 1
    return None if rule.min_successful is None else max(0, rule.min_successful)
