"""`AsyncRun`: one run on a restate-server, and its progress, failures and result."""

from __future__ import annotations

import re
import warnings
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from parallelizework.client import run_state
from parallelizework.client.models import Failures, Paused, Progress
from parallelizework.client.polling import interval
from parallelizework.client.server_api.server import Server
from parallelizework.client.steering import pause
from parallelizework.client.steering.notify import Receivers, check, notify
from parallelizework.client.steering.redrive import redrive, selected, settle
from parallelizework.client.subtasks.completed import (
    CompletedSubtask,
    completed_subtasks,
)
from parallelizework.client.subtasks.listed import (
    MAX_SUBTASKS,
    Subtasks,
    SubtaskStatus,
    subtasks,
)
from parallelizework.client.subtasks.stalled_calls import paused_calls
from parallelizework.client.subtasks.waiting import (
    MAX_WAITING,
    WaitingSubtasks,
    waiting_subtasks,
)
from parallelizework.errors import OtherTask, RunNotFinished, UnknownRun
from parallelizework.notifications.receivers import listed

if TYPE_CHECKING:
    from parallelizework.policy import Policy
    from parallelizework.redrive.models import Index

Result = TypeVar("Result")

_ID = re.compile(r"inv_[A-Za-z0-9]+")
_ATTACH = 60.0  # seconds of one attach request; proxies close idle connections


class AsyncRun(Generic[Result]):
    """A run on a restate-server.

    `AsyncClient.submit` and `AsyncClient.attach` return it.

    Every method raises `UnknownRun` if the server has no run with that id, and
    `Unreachable` if no server answers.

    Attributes:
        id: The run's id. Any other process can `attach` to the run with it.
        is_new: Whether `submit` started the run. False for a run from `attach`, and if
            the idempotency key was used before.
    """

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
        timeout: float | None = None,  # noqa: ASYNC109 - the same parameter as that of `Run`
    ) -> Result:
        """Wait for the result and return it.

        Args:
            timeout: The longest time to wait, in seconds. By default, wait until the
                run ends; 0 means: do not wait.

        Returns:
            The result, in the result type of the fan-out.

        Raises:
            RunFailed: The run ended without a result.
            RunNotFinished: The run did not end within `timeout`; it continues.
            UnfitData: The result does not fit the types of the fan-out.
        """
        end = None if timeout is None else monotonic() + timeout
        while True:
            left = _ATTACH if end is None else min(_ATTACH, end - monotonic())
            body = await self._checked.ingress.result(self.id, max(left, 0))
            if body is not None:
                return self._load(body)
            if end is not None and monotonic() >= end:
                raise RunNotFinished(self.id)

    async def progress(self) -> Progress:
        """Return the progress of the run: its state and the counts of its subtasks."""
        state = await self._state()
        if state.known.state == "scheduled" or (state.known.ended and state.is_final):
            return state.known
        return await run_state.with_stalled_calls(self._server.sql, state.known)

    async def updates(self) -> AsyncIterator[Progress]:
        """Return the progress each time it changes; the last one has the final state.

        The server is asked four times a second at first, and every two seconds after
        three minutes.
        """
        progress, since = None, monotonic()
        while not (progress and progress.ended):
            progress = await next_update(self, progress, since)
            yield progress

    async def outcomes(self, offset: int = 0) -> AsyncIterator[CompletedSubtask]:
        """Return the outcome of each subtask, in order of completion.

        The iterator ends after the end of the run. The policy of the run must have
        `stream=True`. Outcomes are stored for a day after the end of the run.

        Args:
            offset: Where to continue: the `offset` of the last outcome that was read,
                plus 1.

        Raises:
            Refused: The policy of the run does not have `stream=True`.
        """
        async for each in completed_subtasks(self._checked, self.id, offset):
            yield each

    async def failures(self) -> Failures:
        """Return the subtasks that have failed so far.

        Returns:
            A list of the first failures. Its attribute `more` counts all others.
        """
        state = await self._state()
        if state.failures is not None or not state.progress:
            return state.failures or Failures()
        found = await self._server.ingress.failures(self.id)
        return Failures.of(found, state.progress)

    async def paused(self) -> list[Paused]:
        """Return the calls of the run that are paused, each with its error.

        Fix the cause of an error, then call `resume`.
        """
        await self._checked.sql.invocation(self.id)  # raises UnknownRun
        return await paused_calls(self._server.sql, self.id)

    async def subtasks(
        self, status: SubtaskStatus | None = None, *, limit: int = MAX_SUBTASKS
    ) -> Subtasks:
        """Return the subtasks of the run, one by one, as far as they are known.

        While the run executes, these are the subtasks that have not ended, and those
        that failed. Of those that succeeded, only the number is known.

        Args:
            status: Return only subtasks with this status. By default, return all.
            limit: Return at most this many. Subtasks with an error come first then.

        Returns:
            A list in the order of the split. Its attribute `more` counts all others,
            and its attribute `progress` has the number of subtasks by outcome.
        """
        return await subtasks(self._checked, self.id, status, limit)

    async def waiting(self, *, limit: int = MAX_WAITING) -> WaitingSubtasks:
        """Return the subtasks that wait for an answer from outside.

        Args:
            limit: Return at most this many: those that wait for the longest time.

        Returns:
            A list in the order of the split. Its attribute `more` counts all others.
        """
        return await waiting_subtasks(self._checked, self.id, limit)

    async def cancel(self) -> None:
        """Cancel the run and all its calls.

        This does not wait until the run has ended.

        Raises:
            Refused: The run has ended.
        """
        await self._checked.admin.steer(self.id, "cancel")

    async def pause(self) -> None:
        """Pause the run: it starts no more subtasks until `resume`.

        Subtasks that are executing continue to their end. When this returns, all
        coordinators of the run are paused.

        Raises:
            Refused: The run has ended, or it has not begun. Or some coordinators could
                not be paused within 60 seconds.
        """
        await pause.pause(self._checked, self.id)

    async def resume(self) -> None:
        """Resume all paused calls of the run.

        Raises:
            Refused: Nothing of the run is paused.
        """
        await pause.resume(self._checked, self.id)

    async def redrive(
        self,
        policy: Policy | None = None,
        *,
        failed_only: bool = False,
        indexes: Sequence[Index] | None = None,
    ) -> AsyncRun[Result]:
        """Redrive the run: execute what has no value, and aggregate all values.

        The redrive uses the code that is registered now. If the run is being redriven
        already, that redrive is returned. A run that is held executes what has no value
        itself.

        Args:
            policy: The fields of the policy that the redrive overrides.
            failed_only: Leave out subtasks that were cancelled or never started.
            indexes: Execute these subtasks only. With `expand`, an index is a pair: the
                index of the shard, and the index in the shard.

        Returns:
            The redrive. It is a new run, unless this run is held.

        Raises:
            NotRedrivable: The run has succeeded or has not ended; or nothing is kept of
                it.
        """
        selection = selected(policy, failed_only=failed_only, indexes=indexes)
        started = await redrive(self._checked, self.id, selection)
        return AsyncRun(self._server, started.run, self._load, is_new=started.is_new)

    async def settle(self) -> None:
        """Let the run end now, if it is held.

        Raises:
            NotRedrivable: The run is not held.
        """
        await settle(self._checked, self.id)

    async def notify(self, to: Receivers) -> None:
        """Notify receivers when the run has ended, or at once if it has ended.

        Args:
            to: A `WebhookUrl` or an `Email` of `parallelizework.notifications`, or
                several.

        Raises:
            Refused: No worker serves `FanOutNotify`, or a receiver cannot be notified.
        """
        receivers = listed(to)
        await check(self._checked, receivers)
        await notify(self._checked, self.id, receivers)

    async def _state(self) -> run_state.RunState:
        return await run_state.settled_state(self._checked, self.id)

    @property
    def _checked(self) -> Server:
        """The server, once the id is checked: SQL queries contain the id in quotes."""
        if not _ID.fullmatch(self.id):
            raise UnknownRun(
                f"{self.id!r} is not the id of a run; an id begins with inv_"
            )
        return self._server


async def next_update(
    run: AsyncRun[Result], last: Progress | None, since: float
) -> Progress:
    """Wait until the progress of a run differs from `last`, and return it.

    Args:
        since: The time of the first request for updates, on the monotonic clock.
    """
    while True:
        progress = await run.progress()
        if not last or _undated(progress) != _undated(last):
            return progress
        await sleep(interval(monotonic() - since))


def _undated(progress: Progress) -> Progress:
    """The progress without the time of its last update."""
    return progress.model_copy(update={"updated": None})


def warn_of_other_task(run: AsyncRun[Result], idempotency_key: str | None) -> None:
    """Warn the caller's caller if the key belongs to a run with another task."""
    if run.has_other_task:
        warnings.warn(
            f"the idempotency key {idempotency_key!r} was used before, with another "
            f"task: {run.id} is the run of that task. Use another key for a new task.",
            OtherTask,
            stacklevel=3,
        )
