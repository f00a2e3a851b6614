"""`recent`: the latest runs of a restate-server, with their progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from parallelizework.client.models import Invocation, Listed, Progress
from parallelizework.client.run_state import RunState, recorded, successes
from parallelizework.client.server_api.deployments import fan_outs
from parallelizework.client.server_api.ingress import valid
from parallelizework.client.server_api.sql import Sql, have_labels, texts
from parallelizework.client.subtasks.stalled_calls import stalled_calls

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server
    from parallelizework.progress.labels import Labels


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
    soon = await successes(server.sql, [r for r in found if r.id not in records])
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


def _known(
    invocation: Invocation, record: str | None, succeeded: int | None
) -> Progress:
    try:
        progress = recorded(invocation.id, record)[0] if record else None
    except ValidationError:  # a worker of another version wrote the record
        progress = None
    return RunState(invocation, progress, succeeded=succeeded).known
