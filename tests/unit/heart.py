"""Run the core of the package (coordinators, windows, steps, reports) in memory.

The fan-outs are those of the random test on a server. One reference model judges both.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from restate import Context, TerminalError
from restate.vm import Failure as Failed

from parallelizework import Executor
from parallelizework import services as served
from parallelizework.testing.clock import SkippingLoop
from parallelizework.testing.journal import Request
from parallelizework.testing.server import Invocation, Server
from tests.integration.random_cases import Case
from tests.integration.random_fan_outs import (
    EXECUTOR,
    SLOW,
    Report,
    Subtask,
    Task,
    fan_outs,
)
from tests.integration.reference import Answer

LONG = 3_600  # seconds that a subtask hangs
LATER = 60  # seconds for which calls are observed after the end of a run
OURS = ("runSubtask", "runBatch", "runSegment", "runShard", "runShards")


@dataclass
class Record:
    """The recorded executions of a run.

    Attributes:
        attempts: The number of attempts of each subtask.
        succeeded: The number of attempts that succeeded, for each subtask.
        executing: The number of subtasks that execute now.
        most: The largest number of subtasks that executed at once.
    """

    attempts: dict[int, int] = field(default_factory=dict[int, int])
    succeeded: dict[int, int] = field(default_factory=dict[int, int])
    executing: int = 0
    most: int = 0

    def begin(self, subtask: Subtask) -> None:
        self.attempts[subtask.index] = self.attempts.get(subtask.index, 0) + 1
        self.executing += 1
        self.most = max(self.most, self.executing)

    def end(self, subtask: Subtask) -> list[int]:
        if subtask.fate == "f":
            raise TerminalError("it fails", 418)
        if subtask.fate.isdigit() and self.attempts[subtask.index] <= int(subtask.fate):
            raise ValueError("not yet")
        self.succeeded[subtask.index] = self.succeeded.get(subtask.index, 0) + 1
        return [subtask.index]


records: list[Record] = []  # the last record is of the current run


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


FAN_OUTS = fan_outs(execute, execute_in_a_thread, execute_durably)
EXECUTES = [each.definition.execute for each in FAN_OUTS]
FUNCTIONS = [
    *(each.definition.aggregate for each in FAN_OUTS),
    *(each.function for each in EXECUTES if each),
]
SERVICES = served(
    *FAN_OUTS,
    Executor(EXECUTOR, execute=execute),
    progress_retention=timedelta(days=36_500),
)


@dataclass(frozen=True)
class Observed:
    """The result of a run in memory.

    Attributes:
        late: The handlers that were called after the end of the run.
        unfinished: The handlers whose calls had not ended a minute later.
    """

    answer: Answer
    record: Record
    late: list[str]
    unfinished: list[str]


def run_in_memory(
    case: Case, *, seed: int | None, replays: bool, cancel_after: float | None = None
) -> Observed:
    """Run a case in memory, and observe its calls for a minute after its end.

    Raises:
        ReplayMismatch: A replay made other commands than the first execution.
    """
    records[:] = [Record()]
    server: Server | None = None

    def is_busy() -> bool:
        return any(function.is_busy for function in FUNCTIONS)

    def stop() -> None:
        assert server, "the server must exist"
        server.finish()

    async def main() -> Observed:
        nonlocal server
        random = None if seed is None else Random(seed)
        server = Server(SERVICES, random=random, replays=replays)
        return await _run(server, case, cancel_after)

    with asyncio.Runner(loop_factory=lambda: SkippingLoop(is_busy, stop)) as runner:
        return runner.run(main())


async def _run(server: Server, case: Case, cancel_after: float | None) -> Observed:
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
    return Observed(
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
