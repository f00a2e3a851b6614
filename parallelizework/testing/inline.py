"""`run_inline`: executes a run of a fan-out in memory, without a server."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter
from restate import Service, TerminalError
from restate.vm import Failure as Failed

from parallelizework.attempts.retry_schedule import FailedAttempt
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.errors import RunFailed, UnfitData
from parallelizework.executor import Executor
from parallelizework.fan_out import FanOut
from parallelizework.fan_out import services as served
from parallelizework.headers import SubtaskId, name_in
from parallelizework.messages import AGGREGATE_STEP, NOTIFY, HandlerName
from parallelizework.outcomes import CompletionReason, Counts, Failure, Waiting
from parallelizework.progress.models import NAME, Progress, Record, Update
from parallelizework.served import RestateService, Served
from parallelizework.testing.answers import Answers
from parallelizework.testing.clock import SkippingLoop
from parallelizework.testing.journal import Request
from parallelizework.testing.server import Invocation, Server

Task = TypeVar("Task")
Subtask = TypeVar("Subtask")
Result = TypeVar("Result")

_PROGRESS_RETENTION = timedelta(days=36_500)  # longer than any run
_NOT_ENDED = 504
_RUN_SUBTASK = f"/{HandlerName.RUN_SUBTASK}"
_FAILURES = TypeAdapter(list[Failure[Any]])

AnyFanOut = FanOut[Any, Any, Any, Any]
Index = int | tuple[int, int]  # with `expand`: the shard, and the index in the shard


@dataclass(frozen=True)
class InlineCall:
    """A call that was made during a run.

    Attributes:
        handler: The called handler: `SERVICE/HANDLER`.
        index: The index of the subtask, if this is the call of one subtask. With
            `expand`, a pair: the index of the shard, and the index in the shard. `None`
            for other calls.
        attempts: How many attempts there were, without postponed ones.
        began: The start of the call, in seconds from the start of the run. `None` if it
            was not started.
        ended: The end of the call, in seconds from the start of the run. `None` if it
            has not ended.
        error: The error of the call; `None` if it did not fail.
    """

    handler: str
    index: Index | None
    attempts: int
    began: float | None
    ended: float | None
    error: TerminalError | None


@dataclass(frozen=True)
class InlineRun(Generic[Subtask, Result]):
    """A run that has ended: it has a result or an error.

    Attributes:
        id: The id of the run.
        error: Why the run failed; `None` if it succeeded.
        failures: The subtasks that failed, in the order of the split. Subtasks that
            were cancelled at the end of the run are not among them.
        progress: The progress of the run at its end. `None` if the task was refused.
        calls: All calls, in the order in which they were made.
        duration: How long the run took on its own clock. The clock includes pauses,
            although the test does not wait for them.
    """

    id: str
    error: TerminalError | None
    failures: list[Failure[Subtask]]
    progress: Progress | None
    calls: Sequence[InlineCall]
    duration: timedelta
    _result: Callable[[], Result]

    @property
    def result(self) -> Result:
        """The result of the run.

        Raises:
            RunFailed: The run has failed, so it has no result: see `error`.
        """
        if self.error:
            failed = RunFailed(self.id, self.error.status_code, self.error.message)
            raise failed from self.error
        return self._result()

    @property
    def completion_reason(self) -> CompletionReason | None:
        """Why the run ended; `None` if it failed before its subtasks were executed."""
        return self.progress.completion_reason if self.progress else None

    @property
    def counts(self) -> Counts:
        """How many subtasks ended, by outcome."""
        return Counts(**dict(self.progress)) if self.progress else Counts()

    @property
    def attempts(self) -> dict[Index, int]:
        """How many attempts each subtask had, by index; without subtasks of batches."""
        return {
            call.index: call.attempts
            for call in self.calls
            if call.index is not None and call.handler.endswith(_RUN_SUBTASK)
        }


def run_inline(  # noqa: PLR0913 - each argument is one condition of a test
    fan_out: FanOut[Task, Subtask, Any, Result],
    task: Task,
    *,
    executors: Sequence[Executor[Any, Any]] = (),
    services: Sequence[Served] = (),
    answers: Callable[[Subtask, Waiting[Any]], object] | None = None,
    seed: int | None = None,
    replays: bool = False,
    cancel_after: timedelta | None = None,
) -> InlineRun[Subtask, Result]:
    """Run a task in memory: with your functions and the real handlers, but no server.

    Pauses, timeouts and deadlines are those of a real run. But the clock of the run
    skips them, and each `asyncio.sleep` in your functions, so a test does not wait. It
    waits in real time only for functions in threads and for sockets.

    The receivers in `notify` of a fan-out are not notified.

    You may call `run_inline` while an event loop is running. Your functions run in a
    new event loop.

    Args:
        fan_out: The fan-out.
        task: The task.
        executors: The executors that execute the subtasks, if the fan-out names one.
        services: Other services that your handler code calls.
        answers: `(Subtask, Waiting) -> Value | Event | None`: answers each subtask that
            waits, at once. `None` means no answer. If the function raises an error, the
            subtask fails with its message. Default: nobody answers, and subtasks time
            out.
        seed: Delivers all messages with random delays, so subtasks end in another
            order. The same seed produces the same delays. Default: no delays.
        replays: Executes handler code again after each wait, as after a crash. Default:
            `False`.
        cancel_after: Cancels the run after this time on its own clock. Default: never.

    Returns:
        The run, which has ended. A run that failed is returned too: see its `error`.

    Raises:
        ReplayMismatch: Handler code is not deterministic.
        UnfitData: The task does not fit its type.

    Examples:
        ```python
        run = run_inline(lengths, "three small words")
        assert run.result == {"words": 3, "letters": 15}
        ```
    """
    inline = _Inline(fan_out, executors, services, answers, seed, replays, cancel_after)
    try:
        body = fan_out.definition.task_json.serialize(task)
    except TerminalError as error:
        raise UnfitData(error.message) from error
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return inline.run(body)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, inline.run, body).result()


@dataclass
class _Inline(Generic[Task, Subtask, Result]):
    fan_out: FanOut[Task, Subtask, Any, Result]
    executors: Sequence[Executor[Any, Any]]
    services: Sequence[Served]
    answers: Callable[[Subtask, Waiting[Any]], object] | None
    seed: int | None
    replays: bool
    cancel_after: timedelta | None

    def run(self, body: bytes) -> InlineRun[Subtask, Result]:
        others = [cast("AnyFanOut", s) for s in self.services if isinstance(s, FanOut)]
        fan_outs: list[AnyFanOut] = [self.fan_out, *others]
        functions = [each.definition.aggregate for each in fan_outs]
        executed = [each.definition.execute for each in fan_outs]
        executed += [each.definition for each in self.executors]
        definitions = {each.name: each for each in executed if each}
        functions += [each.function for each in definitions.values()]
        all_services = self._served()
        server: Server | None = None

        def is_busy() -> bool:
            has_ended = bool(server and server.is_closed)  # only threads can be left
            return has_ended or any(function.is_busy for function in functions)

        def stop() -> None:
            if not server or server.end.done():
                raise RuntimeError(
                    "run_inline cannot end: the event loop waits for something that "
                    "cannot happen. Check what your functions wait for"
                )
            server.finish()

        answers = Answers(self.answers, definitions) if self.answers else None

        def answer(call: Invocation) -> None:
            if answers and server and (request := answers.request(call)):
                server.invoke(request)

        async def main() -> InlineRun[Subtask, Result]:
            nonlocal server
            random = None if self.seed is None else Random(self.seed)
            server = Server(
                all_services, random=random, replays=self.replays, on_call=answer
            )
            return await self._run(server, body)

        with asyncio.Runner(loop_factory=lambda: SkippingLoop(is_busy, stop)) as runner:
            return runner.run(main())

    def _served(self) -> list[RestateService]:
        all_served: list[Served] = [self.fan_out, *self.executors, *self.services]
        if not any(each.name == NOTIFY for each in self.services):
            all_served.append(Service(NOTIFY))  # has no handler: notifies nobody
        return served(*all_served, progress_retention=_PROGRESS_RETENTION)

    async def _run(self, server: Server, body: bytes) -> InlineRun[Subtask, Result]:
        root = server.invoke(Request(self.fan_out.name, HandlerName.RUN, body))
        root.on_end(server.finish)
        if self.cancel_after is not None:
            seconds = self.cancel_after.total_seconds()
            asyncio.get_running_loop().call_later(seconds, root.cancel)
        await server.end
        calls = [_call(each, root) for each in list(server.invocations.values())[1:]]
        progress = await server.answer(Request(NAME, "get", b"", root.id))
        failures = await server.answer(Request(NAME, "failures", b"", root.id))
        server.is_closed = True
        ended = (
            root.ended if root.ended is not None else asyncio.get_running_loop().time()
        )
        return InlineRun(
            id=root.id,
            error=_error(root),
            failures=self._typed(failures),
            progress=(
                Progress.model_validate_json(progress) if progress else _alone(root)
            ),
            calls=calls,
            duration=timedelta(seconds=ended - (root.began or 0.0)),
            _result=partial(
                self.fan_out.definition.result_json.deserialize, root.answer
            ),
        )

    def _typed(self, failures: bytes) -> list[Failure[Subtask]]:
        """Failures whose subtasks have their declared type, if the type is known.

        A subtask that does not fit the type of its executor stays plain JSON.
        """
        plain = _FAILURES.validate_json(failures or b"[]")
        executes = self.fan_out.definition.execute or self._executor
        return [_with_type(each, executes) for each in plain] if executes else plain

    @property
    def _executor(self) -> ExecuteDefinition | None:
        """The executor of the fan-out, if it is one of the given executors."""
        name = self.fan_out.definition.executor
        found = (each.definition for each in self.executors if each.name == name)
        return next(found, None)


def _with_type(failure: Failure[Any], definition: ExecuteDefinition) -> Failure[Any]:
    try:
        subtask = definition.subtask_json.typed(failure.subtask)
    except TerminalError:
        return failure
    return failure.model_copy(update={"subtask": subtask})


def _call(each: Invocation, root: Invocation) -> InlineCall:
    start = root.began or 0.0
    return InlineCall(
        handler=f"{each.request.service}/{each.request.handler}",
        index=_index(name_in(dict(each.request.headers))),
        attempts=_attempts(each),
        began=None if each.began is None else each.began - start,
        ended=None if each.ended is None else each.ended - start,
        error=_error(each),
    )


def _index(name: str) -> Index | None:
    found = SubtaskId.read(name)
    if not found:
        return None
    return found.index if found.shard is None else (found.shard, found.index)


def _attempts(each: Invocation) -> int:
    """How many attempts a call had: its steps, or the attempts at handler code."""
    steps = {
        str(index)
        for index, command in enumerate(each.journal.commands)
        if command == ("run", "execute")
    }
    if not steps:
        return each.failures + (each.began is not None)
    values = (value for name, value in each.journal.notifications if name in steps)
    return len(steps) - sum(map(_is_postponed, values))


def _is_postponed(value: object) -> bool:
    if not isinstance(value, bytes) or not value.startswith(b'{"fault":'):
        return False
    return FailedAttempt.model_validate_json(value).within is not None


def _alone(root: Invocation) -> Progress | None:
    """The progress of a run that succeeded so soon that it sent nothing."""
    steps = [
        str(command[1]) for command in root.journal.commands if command[0] == "run"
    ]
    if not root.answer or not steps[-1].startswith(AGGREGATE_STEP):
        return None
    count = int(steps[-1].removeprefix(AGGREGATE_STEP))
    update = Update(
        fan_out=root.request.service,
        total=count,
        counts=Counts(succeeded=count),
        state="succeeded",
        completion_reason=CompletionReason.ALL_COMPLETED,
    )
    return Progress.of(root.id, Record.of(update, time.time()))


def _error(each: Invocation) -> TerminalError | None:
    match each.output:
        case Failed(code, message, _, metadata):
            return TerminalError(message, code, metadata)
        case None:
            why = f"it is paused: {each.paused}"
            if not each.paused:
                why = "it waits for something that cannot happen"
            return TerminalError(f"{each.id} has not ended: {why}", _NOT_ENDED)
        case _:
            return None
