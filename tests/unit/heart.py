"""A run of the heart (coordinators, windows, steps, reports) in memory, and its record.

The fan-outs have the names, the fates and the answers of `fates.py`, so that the
reference model of the random test judges both.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from pydantic import BaseModel
from restate import Context, TerminalError
from restate.vm import Failure as Failed

from parallelizework import CompletionReason, Done, Executor, Failure, FanOut, Policy
from parallelizework import services as served
from parallelizework.testing.clock import SkippingLoop
from parallelizework.testing.journal import Request
from parallelizework.testing.server import Invocation, Server
from tests.integration.random_cases import Case
from tests.integration.reference import Answer

SLOW = 0.1  # seconds
LONG = 3_600  # seconds that a subtask hangs
LATER = 60  # seconds after its end that a run is still looked at
OURS = ("runSubtask", "runBatch", "runSegment", "runShard", "runShards")


class Task(BaseModel):
    """See `fates.Task`."""

    fates: str
    shards: list[int] = []
    policy: Policy = Policy()


class Part(BaseModel):
    first: int
    fates: str


class Subtask(BaseModel):
    index: int
    fate: str


class Report(BaseModel):
    values: list[int]
    failures: list[tuple[int, str, int, int | None]]
    reason: CompletionReason


@dataclass
class Record:
    """What happened in a run.

    Attributes:
        tries: How often each subtask was tried.
        ended: How often each subtask ended well.
        most: How many executed at once, at most.
    """

    tries: dict[int, int] = field(default_factory=dict[int, int])
    ended: dict[int, int] = field(default_factory=dict[int, int])
    executing: int = 0
    most: int = 0

    def begin(self, subtask: Subtask) -> None:
        self.tries[subtask.index] = self.tries.get(subtask.index, 0) + 1
        self.executing += 1
        self.most = max(self.most, self.executing)

    def end(self, subtask: Subtask) -> list[int]:
        if subtask.fate == "f":
            raise TerminalError("it fails", 418)
        if subtask.fate.isdigit() and self.tries[subtask.index] <= int(subtask.fate):
            raise ValueError("not yet")
        self.ended[subtask.index] = self.ended.get(subtask.index, 0) + 1
        return [subtask.index]


records: list[Record] = []  # the last one is of the run that is going on


async def execute(subtask: Subtask) -> list[int]:
    records[-1].begin(subtask)
    try:
        await asyncio.sleep({"s": SLOW, "h": LONG}.get(subtask.fate, 0))
        return records[-1].end(subtask)
    finally:
        records[-1].executing -= 1


def execute_in_a_thread(subtask: Subtask) -> list[int]:
    records[-1].begin(subtask)
    try:
        time.sleep(0.001 if subtask.fate == "s" else 0)
        return records[-1].end(subtask)
    finally:
        records[-1].executing -= 1


async def execute_durably(ctx: Context, subtask: Subtask) -> list[int]:
    seconds = {"s": SLOW, "h": LONG}.get(subtask.fate, 0.001)
    await ctx.sleep(timedelta(seconds=seconds))
    records[-1].begin(subtask)
    try:
        return records[-1].end(subtask)
    finally:
        records[-1].executing -= 1


def subtasks(first: int, fates: str) -> Iterator[Subtask | Done[list[int]]]:
    for index, fate in enumerate(fates, first):
        yield Done([index]) if fate == "d" else Subtask(index=index, fate=fate)


def split(task: Task) -> Iterator[Subtask | Done[list[int]]]:
    return subtasks(0, task.fates)


def split_into_shards(task: Task) -> Iterator[Part]:
    first = 0
    for size in task.shards:
        yield Part(first=first, fates=task.fates[first : first + size])
        first += size


def expand(part: Part) -> Iterator[Subtask | Done[list[int]]]:
    return subtasks(part.first, part.fates)


def combine(values: list[list[int]]) -> list[int]:
    return [index for value in values for index in value]


def aggregate(
    values: list[list[int]],
    failures: list[Failure[Subtask]],
    reason: CompletionReason,
) -> Report:
    shown = [(f.subtask.index, f.status, f.code, f.attempts) for f in failures]
    return Report(values=combine(values), failures=shown, reason=reason)


SOON = timedelta(milliseconds=5)
POLICY = Policy(max_attempts=3, initial_retry_interval=SOON, max_retry_interval=SOON)
plain: dict[str, Any] = {"split": split, "aggregate": aggregate, "policy": POLICY}
sharded: dict[str, Any] = plain | {"split": split_into_shards, "expand": expand}

FAN_OUTS: list[FanOut[Any, Any, Any, Any]] = [
    FanOut("RandomAsync", execute=execute, **plain),
    FanOut("RandomSync", execute=execute_in_a_thread, **plain),
    FanOut("RandomCode", execute=execute_durably, **plain),
    FanOut("RandomExecutor", executor="RandomElsewhere", **plain),
    FanOut("RandomCombined", execute=execute, combine=combine, **plain),
    FanOut("RandomSharded", execute=execute, **sharded),
    FanOut("RandomShardedCombined", execute=execute, combine=combine, **sharded),
    FanOut("RandomShardedCode", execute=execute_durably, **sharded),
    FanOut("RandomShardedExecutor", executor="RandomElsewhere", **sharded),
]
EXECUTES = [each.definition.execute for each in FAN_OUTS]
FUNCTIONS = [
    *(each.definition.aggregate for each in FAN_OUTS),
    *(each.function for each in EXECUTES if each),
]
EXECUTOR = Executor("RandomElsewhere", execute=execute)
SERVICES = served(*FAN_OUTS, EXECUTOR, progress_retention=timedelta(days=36_500))


@dataclass(frozen=True)
class Seen:
    """What was seen of a run.

    Attributes:
        late: The calls that began, or were made, after its end.
        unfinished: The calls that had not ended a minute later.
    """

    answer: Answer
    record: Record
    late: list[str]
    unfinished: list[str]


def seen(
    case: Case, *, seed: int | None, replays: bool, cancel_after: float | None = None
) -> Seen:
    """Run a case in memory, and let what it left go on for a minute.

    Raises:
        ReplayMismatch: A replay made other commands.
    """
    records[:] = [Record()]
    server: Server | None = None

    def is_busy() -> bool:
        return any(function.is_busy for function in FUNCTIONS)

    def stop() -> None:
        assert server, "it has begun"
        server.finish()

    async def main() -> Seen:
        nonlocal server
        random = None if seed is None else Random(seed)
        server = Server(SERVICES, random=random, replays=replays)
        return await _seen(server, case, cancel_after)

    with asyncio.Runner(loop_factory=lambda: SkippingLoop(is_busy, stop)) as runner:
        return runner.run(main())


async def _seen(server: Server, case: Case, cancel_after: float | None) -> Seen:
    body = Task(fates=case.fates, shards=list(case.shards)).model_dump()
    body["policy"] = case.policy
    task = Task.model_validate(body)
    loop = asyncio.get_running_loop()
    root = server.invoke(Request(case.service, "run", task.model_dump_json().encode()))
    root.on_end(server.finish)
    if cancel_after is not None:
        loop.call_later(cancel_after, root.cancel)
    await server.end
    made = len(server.invocations)
    await asyncio.sleep(LATER)
    calls = [each for each in server.invocations.values() if _is_ours(each)]
    late = [each for each in list(server.invocations.values())[made:] if _is_ours(each)]
    server.is_closed = True
    return Seen(
        answer=_answer(root),
        record=records[-1],
        late=[each.request.handler for each in late],
        unfinished=[each.request.handler for each in calls if each.ended is None],
    )


def _is_ours(each: Invocation) -> bool:
    return each.request.handler in OURS


def _answer(root: Invocation) -> Answer:
    if isinstance(root.output, Failed):
        return Answer(root.output.code)
    report = Report.model_validate_json(root.answer)
    return Answer(200, report.values, report.failures, report.reason)
