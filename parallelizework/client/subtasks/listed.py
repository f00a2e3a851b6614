"""`Subtasks`: the subtasks of a run, one by one, as far as anybody knows them.

The server knows the calls that have not ended. `FanOutProgress` knows the failures.
Nobody stores the values of a run that executes one by one: only their number is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import ValidationError

from parallelizework.client.models import FailedSubtask, FrozenModel, Progress
from parallelizework.client.run_state import RunState, settled_state
from parallelizework.client.server_api.subtask_calls import (
    AttemptsSoFar,
    SubtaskCall,
    attempts_so_far,
    subtask_calls,
    subtask_ids,
)
from parallelizework.client.server_messages import HANDLER_FAILED
from parallelizework.client.subtasks.kept import kept
from parallelizework.client.subtasks.stalled_calls import stalled_calls
from parallelizework.headers import SubtaskId
from parallelizework.messages import Slice

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server
    from parallelizework.client.server_api.sql import Input, Sql
    from parallelizework.messages import FullIndex

SubtaskStatus = Literal[
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "scheduled",
    "running",
    "retrying",
    "waiting",
    "paused",
]

MAX_SUBTASKS = 1_000  # rows that people still read, or a program in one message
_MAX_BATCHES = 100  # whose subtasks are read; the input of each has up to 64 KiB
_NOT_BEGUN = ("scheduled", "inboxed", "pending", "ready")  # words of Restate
_ORDINARY = ("scheduled", "running", "waiting")
_STATUS_CODE = re.compile(r"^\[\d+[^\]]*\] ")  # before an error in SQL


class ListedSubtask(FrozenModel):
    """A subtask in the list that `subtasks` returns.

    Attributes:
        index: The index of the subtask in the split, or in its shard. None for a batch
            whose input is larger than 64 KiB, or is not stored any more.
        shard: The index of the shard; None without `expand`.
        name: What `name_of` returned for the subtask; None for no name.
        status: `succeeded`, `failed`, `timed_out` or `cancelled`; or, if it has not
            ended: `scheduled` (no worker has begun it), `running`, `retrying` (an
            attempt has failed or lost its worker, and another one follows or executes),
            `waiting` (for an answer from outside) or `paused`.
        attempts: How many attempts have begun, without postponed ones. None if nobody
            knows, as in a batch. For handler code, the number of Restate, which counts
            outages of the worker too.
        duration: The time since the subtask was called, in seconds; in a batch, since
            the batch was called. None for a subtask that has ended.
        error: The error of the last attempt that failed; None without an error.
        invocation: The invocation id of the call; None for a subtask that has ended.
    """

    index: int | None
    shard: int | None = None
    name: str | None = None
    status: SubtaskStatus
    attempts: int | None = None
    duration: float | None = None
    error: str | None = None
    invocation: str | None = None

    @classmethod
    def of_failure(cls, failure: FailedSubtask) -> Self:
        """The entry for a subtask that did not succeed."""
        fields = {"index", "shard", "name", "status", "attempts"}
        return cls(error=failure.message, **failure.model_dump(include=fields))


class Subtasks(list[ListedSubtask]):
    """A list of subtasks of a run, in the order of the split.

    Attributes:
        more: How many other subtasks with the wanted status there are, without those
            that have succeeded. A batch that was not read counts as one.
        progress: The progress of the run, with the number of all subtasks by outcome.
    """

    def __init__(
        self, listed: Iterable[ListedSubtask], more: int, progress: Progress
    ) -> None:
        super().__init__(listed)
        self.more = more
        self.progress = progress


async def subtasks(
    server: Server, run: str, status: SubtaskStatus | None, limit: int
) -> Subtasks:
    """The subtasks of a run.

    Args:
        server: The server.
        run: The id of the run.
        status: Only subtasks with this status; None for all.
        limit: The largest number of subtasks to list.
    """
    calls = await subtask_calls(server.sql, run)
    state = await settled_state(server, run)
    stalled = await stalled_calls(server.sql)
    progress = stalled.added_to(state.known)
    calls = [] if progress.ended else calls
    paused = {e.subject.id: e.error for e in stalled.of(run) if e.is_paused}
    attempts = await attempts_so_far(server.sql, calls)
    in_flight = [InFlight.of(call, attempts.get(call.id), paused) for call in calls]
    wanted = [each for each in in_flight if status in (None, each.status)]
    wanted.sort(key=lambda each: each.status in _ORDINARY)
    chosen, ended = wanted[:limit], await kept_subtasks(server, run, state)
    listed = await _listed(server.sql, chosen)
    again = set(map(_order, listed))  # a held run executes failures once more
    listed += [
        e for e in ended if status in (None, e.status) and _order(e) not in again
    ]
    listed.sort(key=lambda each: each.status in _ORDINARY)
    more = len(listed[limit:]) + len(wanted) - len(chosen)
    more += _unlisted(progress, ended, status)
    more += calls[0].total - len(calls) if calls else 0
    return Subtasks(sorted(listed[:limit], key=_order), more, progress)


async def kept_subtasks(
    server: Server, run: str, state: RunState
) -> list[ListedSubtask]:
    """The subtasks that have ended, as far as they are stored one by one.

    These are all subtasks of a run that has ended with failures, as long as the run can
    be redriven. For other runs, these are the failures that `FanOutProgress` stores, up
    to 256 KiB.
    """
    if state.known.ended and (found := await kept(server, run)):
        listed = [_listed_at(full_index, "succeeded") for full_index in found.succeeded]
        listed += [ListedSubtask.of_failure(failure) for failure in found.failures]
        listed += [
            _listed_at(full_index, "cancelled") for full_index in found.unstarted
        ]
        return listed
    failures = state.failures
    if failures is None:
        failures = await server.ingress.failures(run) if state.progress else []
    return [ListedSubtask.of_failure(failure) for failure in failures]


def _order(each: ListedSubtask) -> tuple[int, bool, int]:
    """The order of the split; subtasks without an index come last in their shard."""
    return each.shard or 0, each.index is None, each.index or 0


def _listed_at(full_index: FullIndex, status: SubtaskStatus) -> ListedSubtask:
    shard, index = full_index
    return ListedSubtask(index=index, shard=shard, status=status)


@dataclass(frozen=True)
class InFlight:
    """A call of subtasks that has not ended.

    Attributes:
        call: The call.
        status: The status of its subtasks.
        attempts: How many attempts have begun; None if nobody knows.
        error: The error of the last attempt that failed; None without an error.
    """

    call: SubtaskCall
    status: SubtaskStatus
    attempts: int | None
    error: str | None

    @classmethod
    def of(
        cls,
        call: SubtaskCall,
        attempts: AttemptsSoFar | None,
        paused: dict[str, str | None],
    ) -> Self:
        """The state of a call.

        Args:
            call: The call.
            attempts: The attempts in its journal, if any.
            paused: The errors of the paused calls, by id.
        """
        number, error = _attempts(call, attempts), None
        if attempts and attempts.failed:
            error = attempts.error
        if call.error:
            error = _STATUS_CODE.sub("", call.error)
        if call.id in paused:
            return cls(call, "paused", number, paused[call.id] or error)
        if call.is_waiting:
            return cls(call, "waiting", None, error)
        if call.status in _NOT_BEGUN and call.journal_size <= 1:
            return cls(call, "scheduled", 0, None)
        has_failed = error is not None or call.status == "backing-off"
        return cls(call, "retrying" if has_failed else "running", number, error)

    def listed(
        self, index: int | None, shard: int | None, name: str | None
    ) -> ListedSubtask:
        """The entry for a subtask of the call."""
        return ListedSubtask(
            index=index,
            shard=shard,
            name=name,
            status=self.status,
            attempts=self.attempts,
            duration=self.call.duration,
            error=self.error,
            invocation=self.call.id,
        )


def _attempts(call: SubtaskCall, attempts: AttemptsSoFar | None) -> int | None:
    """How many attempts have begun; None if nobody knows."""
    if call.is_batch:
        return None
    if call.error_code == HANDLER_FAILED:  # handler code, which Restate retries
        return call.retry_count
    if attempts and attempts.failed:
        return max(1, attempts.begun - attempts.postponed)
    # Handler code with entries in its journal may have had more attempts.
    has_begun = 2  # entries: the input, and the step of a first attempt
    return 1 if call.journal_size <= has_begun else None


async def _listed(sql: Sql, chosen: Sequence[InFlight]) -> list[ListedSubtask]:
    """The entries for the subtasks of calls: one for a single one, several for a batch.

    A subtask that has ended within a batch is among them: only its batch is known.
    """
    batches = [each.call.id for each in chosen if each.call.is_batch]
    single = [each.call.id for each in chosen if not each.call.is_batch]
    ids = await subtask_ids(sql, single)
    inputs = await sql.inputs(batches[:_MAX_BATCHES])
    listed: list[ListedSubtask] = []
    for each in chosen:
        found = [ids[each.call.id]] if each.call.id in ids else []
        if each.call.is_batch:
            found = _of_batch(inputs.get(each.call.id))
        listed += [each.listed(e.index, e.shard, e.name) for e in found]
        if not found:
            listed.append(each.listed(None, None, None))
    return listed


def _of_batch(called_with: Input | None) -> list[SubtaskId]:
    try:
        batch = Slice[Any].model_validate_json(called_with.body if called_with else b"")
    except ValidationError:  # not stored any more, or of a worker of another version
        return []
    return [
        SubtaskId(batch.run, batch.index_of(n), batch.shard, batch.name_of(n))
        for n in range(len(batch.items))
    ]


def _unlisted(
    progress: Progress, ended: Iterable[ListedSubtask], status: SubtaskStatus | None
) -> int:
    """How many subtasks did not succeed of which only the number is stored."""
    counts = {
        "failed": progress.failed,
        "timed_out": progress.timed_out,
        "cancelled": progress.cancelled,
    }
    stored = [each.status for each in ended]
    return sum(
        max(0, count - stored.count(each))
        for each, count in counts.items()
        if status in (None, each)
    )
