"""`run_inline`: a run of a fan-out in memory, without a server."""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter
from restate import TerminalError
from restate.vm import Failure as Failed

from parallelizework.attempts.schedule import FailedAttempt
from parallelizework.errors import RunFailed, UnfitData
from parallelizework.executor import Executor
from parallelizework.fan_out import FanOut
from parallelizework.fan_out import services as served
from parallelizework.headers import name_in
from parallelizework.messages import HandlerName
from parallelizework.outcomes import CompletionReason, Counts, Failure
from parallelizework.progress.models import NAME, Progress
from parallelizework.served import Served
from parallelizework.testing.clock import SkippingLoop
from parallelizework.testing.journal import Request
from parallelizework.testing.server import Invocation, Server

Task = TypeVar("Task")
Subtask = TypeVar("Subtask")
Result = TypeVar("Result")

_FOR_EVER = timedelta(days=36_500)  # that progress is kept
_NOT_ENDED = 504
_INDEX = re.compile(r"(?: shard=(\d+))? index=(\d+)$")
_FAILURES = TypeAdapter(list[Failure[Any]])

AnyFanOut = FanOut[Any, Any, Any, Any]
Index = int | tuple[int, int]


@dataclass(frozen=True)
class InlineCall:
    """A call that was made during a run.

    Attributes:
        handler: `SERVICE/HANDLER`.
        index: Of the subtask, where it is the call of one. With `expand` the index of
            the shard, and the index in the shard.
        attempts: How often the subtask was tried, without postponed attempts.
        began, ended: Seconds from the start of the run; None if that did not happen.
        error: What it failed with, if it did.
    """

    handler: str
    index: Index | None
    attempts: int
    began: float | None
    ended: float | None
    error: TerminalError | None


@dataclass(frozen=True)
class InlineRun(Generic[Subtask, Result]):
    """A run that has ended, well or badly.

    Attributes:
        error: Why it failed; None if it did not.
        failures: The subtasks that failed, in order; without those that were cancelled
            with the rest when the run ended.
        progress: What `FanOutProgress` says at the end; None if the task was refused.
        calls: All calls, in the order in which they were made.
        duration: How long it took on its own clock, which skips pauses.
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
        """The result.

        Raises:
            RunFailed: There is none: see `error`.
        """
        if self.error:
            failed = RunFailed(self.id, self.error.status_code, self.error.message)
            raise failed from self.error
        return self._result()

    @property
    def completion_reason(self) -> CompletionReason | None:
        """Why it ended; None if it failed before its subtasks were executed."""
        return self.progress.completion_reason if self.progress else None

    @property
    def counts(self) -> Counts:
        """How many subtasks ended, by outcome."""
        return Counts(**dict(self.progress)) if self.progress else Counts()

    @property
    def attempts(self) -> dict[Index, int]:
        """How often each subtask was tried that had a call of its own."""
        calls = (call for call in self.calls if call.index is not None)
        return {call.index: call.attempts for call in calls if call.index is not None}


def run_inline(  # noqa: PLR0913 - each is one thing to try
    fan_out: FanOut[Task, Subtask, Any, Result],
    task: Task,
    *,
    executors: Sequence[Executor[Any, Any]] = (),
    services: Sequence[Served] = (),
    seed: int | None = None,
    replays: bool = False,
    cancel_after: timedelta | None = None,
) -> InlineRun[Subtask, Result]:
    """Run a task in memory: with your functions and our handlers, but without a server.

    Pauses, timeouts and deadlines are those of a real run, on a clock that jumps where
    nothing but a pause is left; so does `asyncio.sleep` in your functions. Functions
    that block a thread, and sockets, are waited for.

    It may be called within a running event loop too. Your functions run in an event
    loop of their own.

    Args:
        executors: What executes the subtasks, where the fan-out names an executor.
        services: What else your handler code calls.
        seed: Deliver all messages with random delays, the same for the same seed: so
            subtasks end in another order. By default messages take no time.
        replays: Execute handler code anew after each wait, as after a crash.
        cancel_after: Cancel the run then.

    Raises:
        ReplayMismatch: Handler code is not deterministic.
        UnfitData: The task does not fit its type.
    """
    this = _Inline(fan_out, executors, services, seed, replays, cancel_after)
    try:
        body = fan_out.definition.task_json.serialize(task)
    except TerminalError as error:
        raise UnfitData(error.message) from error
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return this.run(body)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, this.run, body).result()


@dataclass
class _Inline(Generic[Task, Subtask, Result]):
    fan_out: FanOut[Task, Subtask, Any, Result]
    executors: Sequence[Executor[Any, Any]]
    services: Sequence[Served]
    seed: int | None
    replays: bool
    cancel_after: timedelta | None

    def run(self, body: bytes) -> InlineRun[Subtask, Result]:
        others = [cast("AnyFanOut", s) for s in self.services if isinstance(s, FanOut)]
        fan_outs: list[AnyFanOut] = [self.fan_out, *others]
        functions = [each.definition.aggregate for each in fan_outs]
        executed = [each.definition.execute for each in fan_outs]
        executed += [each.definition for each in self.executors]
        functions += [each.function for each in executed if each]
        every = [self.fan_out, *self.executors, *self.services]
        made = served(*every, progress_retention=_FOR_EVER)
        server: Server | None = None

        def is_busy() -> bool:
            is_over = bool(server and server.is_closed)  # only threads can be left
            return is_over or any(function.is_busy for function in functions)

        def stop() -> None:
            if not server or server.end.done():
                raise RuntimeError("a run in memory waits for ever at its end")
            server.finish()

        async def main() -> InlineRun[Subtask, Result]:
            nonlocal server
            random = None if self.seed is None else Random(self.seed)
            server = Server(made, random=random, replays=self.replays)
            return await self._run(server, body)

        with asyncio.Runner(loop_factory=lambda: SkippingLoop(is_busy, stop)) as runner:
            return runner.run(main())

    async def _run(self, server: Server, body: bytes) -> InlineRun[Subtask, Result]:
        root = server.invoke(Request(self.fan_out.name, HandlerName.RUN, body))
        root.on_end(server.finish)
        if self.cancel_after:
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
            progress=Progress.model_validate_json(progress) if progress else None,
            calls=calls,
            duration=timedelta(seconds=ended - (root.began or 0.0)),
            _result=partial(
                self.fan_out.definition.result_json.deserialize, root.answer
            ),
        )

    def _typed(self, failures: bytes) -> list[Failure[Subtask]]:
        """Failures with subtasks of their own type, where that is known."""
        plain = _FAILURES.validate_json(failures or b"[]")
        executors = [each.definition for each in self.executors]
        for definition in [self.fan_out.definition.execute, *executors]:
            if definition:
                return [
                    each.model_copy(
                        update={"subtask": definition.subtask_json.typed(each.subtask)}
                    )
                    for each in plain
                ]
        return plain


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
    found = _INDEX.search(name)
    if not found:
        return None
    shard, index = found.groups()
    return int(index) if shard is None else (int(shard), int(index))


def _attempts(each: Invocation) -> int:
    """How often it was tried: each step, or all of handler code."""
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


def _error(each: Invocation) -> TerminalError | None:
    match each.output:
        case Failed(code, message, _, metadata):
            return TerminalError(message, code, metadata)
        case None:
            why = f"it is paused: {each.paused}" if each.paused else "it waits for ever"
            return TerminalError(f"{each.id} has not ended: {why}", _NOT_ENDED)
        case _:
            return None
