"""`AsyncRun`: one run on a restate-server, and all that can be asked of it."""

import re
import warnings
from asyncio import sleep
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Generic, TypeVar

from parallelizework.client import pause, run_state
from parallelizework.client.models import Failures, Paused, Progress
from parallelizework.client.server_api.server import Server
from parallelizework.client.stalled_calls import paused_calls
from parallelizework.errors import OtherTask, RunNotFinished, UnknownRun

Result = TypeVar("Result")

_ID = re.compile(r"inv_[A-Za-z0-9]+")
_ATTACH = 60.0  # seconds of one attach; idle connections are cut after a while
_OFTEN, _SELDOM = 0.25, 2.0  # seconds between looks: at first, and in a long run
_SHARE = 0.01  # of the time it has taken: a look a second after 100 s


class AsyncRun(Generic[Result]):
    """As `Run`, whose methods say what they promise and raise, without blocking."""

    def __init__(
        self,
        server: Server,
        id: str,
        load: Callable[[bytes], Result],
        *,
        is_new: bool = False,
        has_other_task: bool = False,
    ) -> None:
        self.id = id
        self.is_new = is_new
        self.has_other_task = has_other_task
        self._server = server
        self._load = load

    async def result(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as that of `Run`
    ) -> Result:
        """Wait for the result, for `timeout` seconds at most."""
        end = None if timeout is None else monotonic() + timeout
        while True:
            left = _ATTACH if end is None else min(_ATTACH, end - monotonic())
            body = await self._checked.ingress.result(self.id, max(left, 0))
            if body is not None:
                return self._load(body)
            if end is not None and monotonic() >= end:
                raise RunNotFinished(self.id)

    async def progress(self) -> Progress:
        """How far it is."""
        state = await self._state()
        if state.known.state == "scheduled" or (state.known.ended and state.is_final):
            return state.known
        return await run_state.with_stalled_calls(self._server.sql, state.known)

    async def updates(self) -> AsyncIterator[Progress]:
        """How far it is, each time that has changed."""
        progress, since = None, monotonic()
        while not (progress and progress.ended):
            progress = await next_update(self, progress, since)
            yield progress

    async def failures(self) -> Failures:
        """What failed so far: the first subtasks of them, and how many `more`."""
        state = await self._state()
        if state.failures is not None or not state.progress:
            return state.failures or Failures()
        found = await self._server.ingress.failures(self.id)
        return Failures.of(found, state.progress)

    async def paused(self) -> list[Paused]:
        """What of it is paused; fix the cause, and `resume`."""
        await self._checked.sql.invocation(self.id)  # or it is unknown
        return await paused_calls(self._server.sql, self.id)

    async def cancel(self) -> None:
        """Cancel it, and all that it has called; `Refused` if it has ended."""
        await self._checked.admin.steer(self.id, "cancel")

    async def pause(self) -> None:
        """Start no more subtasks until `resume`."""
        await pause.pause(self._checked, self.id)

    async def resume(self) -> None:
        """Go on with what is paused of it; `Refused` if nothing is."""
        await pause.resume(self._checked, self.id)

    async def _state(self) -> run_state.RunState:
        return await run_state.settled_state(self._checked, self.id)

    @property
    def _checked(self) -> Server:
        """The server, if it can know the run: SQL has the id in quotes."""
        if not _ID.fullmatch(self.id):
            raise UnknownRun(f"{self.id!r} is no run's id; they begin with inv_")
        return self._server


async def next_update(
    run: AsyncRun[Result], last: Progress | None, since: float
) -> Progress:
    """The next progress of a run that differs from the last one.

    Args:
        since: When updates were first asked for, on the monotonic clock.
    """
    while True:
        progress = await run.progress()
        if not last or _undated(progress) != _undated(last):
            return progress
        await sleep(min(max(_OFTEN, (monotonic() - since) * _SHARE), _SELDOM))


def _undated(progress: Progress) -> Progress:
    """Progress without the time when it was true."""
    return progress.model_copy(update={"updated": None})


def warn_of_other_task(run: AsyncRun[Result], idempotency_key: str | None) -> None:
    """Warn the caller's caller if the key was used before, with another task."""
    if run.has_other_task:
        warnings.warn(
            f"the idempotency key {idempotency_key!r} was used before, with another "
            f"task: {run.id} is the run of that one",
            OtherTask,
            stacklevel=3,
        )
