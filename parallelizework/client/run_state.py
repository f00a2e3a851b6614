"""`RunState`: the state of a run, from Restate and from FanOutProgress together.

The record of FanOutProgress is read through Restate's SQL, which needs no worker. If
the admin API does not answer, or has no record, FanOutProgress itself is called. After
the end of a run, its journal has the updates that have not arrived at FanOutProgress.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from parallelizework.client.models import Failures, Invocation, Progress
from parallelizework.client.server_api.sql import Sql
from parallelizework.client.subtasks.stalled_calls import stalled_calls
from parallelizework.errors import Refused, UnknownRun, Unreachable
from parallelizework.outcomes import in_order
from parallelizework.progress.models import Progress as Kept
from parallelizework.progress.models import Record, Update

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server

# Without a journal: an update takes some milliseconds to arrive, or some seconds.
_MAX_WAITS, _WAIT = 30, 0.1


@dataclass(frozen=True)
class RunState:
    """The state of a run, from two sources.

    Attributes:
        invocation: The state that Restate has; None if the admin API did not answer.
        progress: The progress that FanOutProgress has; None if it has none (yet).
        failures: The failures that FanOutProgress has; None if they were not read.
        succeeded: The number of subtasks, if the run has succeeded so soon that it sent
            nothing to FanOutProgress.
    """

    invocation: Invocation | None
    progress: Progress | None
    failures: Failures | None = None
    succeeded: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether FanOutProgress will receive no more updates of the run."""
        if self.progress and self.progress.ended:
            return True
        run = self.invocation
        return not run or not run.ended or run.killed  # a killed run reports nothing

    @property
    def known(self) -> Progress:
        """The progress, from both sources."""
        if not self.invocation:
            assert self.progress, "at least one of the two is known"
            return self.progress
        if not self.progress:
            return self.invocation.alone(self.succeeded)
        return self.invocation.correct(self.progress)


async def run_state(server: Server, run: str) -> RunState:
    """The current state of a run.

    Raises:
        UnknownRun: The server has no such run.
        Unreachable: No server answers.
    """
    try:
        invocation = await server.sql.invocation(run, repeatable=False)
        record = (await server.sql.records([run])).get(run)
    except (UnknownRun, Unreachable, Refused):
        progress = await server.ingress.progress(run)
        if not progress:
            raise
        return RunState(None, progress)
    if record is None:
        found = await successes(server.sql, [invocation])
        return RunState(invocation, None, succeeded=found.get(run))
    try:
        return RunState(invocation, *recorded(run, record))
    except ValidationError:  # a worker of another version wrote the record
        return RunState(invocation, await server.ingress.progress(run))


async def settled_state(server: Server, run: str) -> RunState:
    """The state of a run; if the run has ended, with its last update."""
    state = await run_state(server, run)
    if state.is_final:
        return state
    with suppress(Unreachable, Refused):
        if not await server.sql.has_reported(run):
            return state
        if record := await _sent_record(server.sql, run):
            return RunState(state.invocation, *_shown(run, record))
    for _ in range(_MAX_WAITS):  # the journal is not stored, or cannot be read
        await sleep(_WAIT)
        state = await run_state(server, run)
        if state.is_final:
            break
    return state


async def with_stalled_calls(sql: Sql, progress: Progress) -> Progress:
    """Add the stalled calls to a progress, if the admin API answers."""
    try:
        return (await stalled_calls(sql)).added_to(progress)
    except (UnknownRun, Unreachable, Refused):
        return progress


async def successes(sql: Sql, runs: Iterable[Invocation]) -> dict[str, int]:
    """The numbers of subtasks of the runs that succeeded without an update."""
    return await sql.successes([run.id for run in runs if run.state == "succeeded"])


def recorded(run: str, record: str) -> tuple[Progress, Failures]:
    """The progress and the failures in a record of FanOutProgress.

    Raises:
        ValidationError: A worker of another version wrote the record.
    """
    return _shown(run, Record.model_validate_json(record))


async def _sent_record(sql: Sql, run: str) -> Record | None:
    """The record of all updates that a run has sent, arrived or not."""
    try:
        sent = await sql.updates(run)
        updates = [(at.timestamp(), Update.model_validate_json(b)) for at, b in sent]
    except ValidationError:  # a worker or a server of another version
        return None
    return Record.of_all(updates)


def _shown(run: str, read: Record) -> tuple[Progress, Failures]:
    progress = Progress.of(Kept.of(run, read).model_dump())
    return progress, Failures.of(in_order(read.failures), progress)
