"""`RunState`: the state of a run, from Restate and from FanOutProgress together.

The record of FanOutProgress is read through Restate's SQL, which needs no worker. If
the admin API does not answer, or has no record, FanOutProgress itself is called. After
the end of a run, its journal has the updates that have not arrived at FanOutProgress.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from parallelizework.client.models import Failures, Invocation, Listed, Progress
from parallelizework.client.server_api.deployments import fan_outs
from parallelizework.client.server_api.ingress import valid
from parallelizework.client.server_api.sql import Sql, have_labels, texts
from parallelizework.client.subtasks.stalled_calls import stalled_calls
from parallelizework.errors import Refused, UnknownRun, Unreachable
from parallelizework.outcomes import in_order
from parallelizework.progress.labels import Labels
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
        found = await _successes(server.sql, [invocation])
        return RunState(invocation, None, succeeded=found.get(run))
    try:
        return RunState(invocation, *_recorded(run, record))
    except ValidationError:  # a worker of another version wrote the record
        return RunState(invocation, await server.ingress.progress(run))


async def settled_state(server: Server, run: str) -> RunState:
    """The state of a run; if the run has ended, with its last update."""
    state = await run_state(server, run)
    if state.is_final or not await server.sql.has_reported(run):
        return state
    if record := await _sent_record(server.sql, run):
        return RunState(state.invocation, *_shown(run, record))
    for _ in range(_MAX_WAITS):  # the server does not store the journal
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


async def recent(
    server: Server, limit: int, labels: Labels | None = None
) -> list[Listed]:
    """The latest runs of all fan-outs, served or not, the newest first.

    Args:
        server: The server.
        limit: The largest number of runs.
        labels: The labels that all of these runs have.

    Raises:
        UnfitData: A label is invalid.
    """
    has_labels = have_labels(valid(labels))
    services = await server.admin.services()
    names, served = fan_outs(services), [service.name for service in services]
    found = await _recent(server.sql, names, served, has_labels, limit)
    records = await server.sql.records([run.id for run in found])
    soon = await _successes(server.sql, [r for r in found if r.id not in records])
    stalled = await stalled_calls(server.sql)
    listed = [
        Listed.of(
            run, stalled.added_to(_known(run, records.get(run.id), soon.get(run.id)))
        )
        for run in found
        if run.target_service_name in names or run.id in records or run.id in soon
    ]
    return listed[:limit]


async def _recent(
    sql: Sql, names: list[str], served: list[str], has_labels: str, limit: int
) -> list[Invocation]:
    """The latest runs of these fan-outs, and of services that are no longer served."""
    column = "target_service_name"
    found: list[Invocation] = []
    if names:
        found += await sql.recent(f"{column} in ({texts(names)}){has_labels}", limit)
    where = f"{column} not in ({texts(served)})" if served else "true"
    found += await sql.recent(where + has_labels, limit)
    return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)


async def _successes(sql: Sql, runs: Iterable[Invocation]) -> dict[str, int]:
    """The numbers of subtasks of the runs that succeeded without an update."""
    return await sql.successes([run.id for run in runs if run.state == "succeeded"])


def _known(
    invocation: Invocation, record: str | None, succeeded: int | None
) -> Progress:
    try:
        progress = _recorded(invocation.id, record)[0] if record else None
    except ValidationError:  # a worker of another version wrote the record
        progress = None
    return RunState(invocation, progress, succeeded=succeeded).known


def _recorded(run: str, record: str) -> tuple[Progress, Failures]:
    """The progress and the failures in a record of FanOutProgress.

    Raises:
        ValidationError: A worker of another version wrote the record.
    """
    return _shown(run, Record.model_validate_json(record))


async def _sent_record(sql: Sql, run: str) -> Record | None:
    """The record of all updates that a run has sent, arrived or not."""
    try:
        updates = [
            (at.timestamp(), Update.model_validate_json(body))
            for at, body in await sql.updates(run)
        ]
    except (Refused, ValidationError):  # a worker of another version sent them
        return None
    return Record.of_all(updates)


def _shown(run: str, read: Record) -> tuple[Progress, Failures]:
    progress = Progress.of(Kept.of(run, read).model_dump())
    return progress, Failures.of(in_order(read.failures), progress)
