"""Redrive a run: execute what has no value. Settle a held run: let it end."""

from __future__ import annotations

from asyncio import sleep
from time import monotonic
from typing import TYPE_CHECKING

from pydantic import ValidationError

from parallelizework.client import run_state
from parallelizework.client.server_api.ingress import Submitted
from parallelizework.errors import (
    ClientError,
    NotRedrivable,
    UnfitData,
    UnknownRun,
)
from parallelizework.redrive.models import Redrivable, RedriveRequest, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parallelizework.client.models import Progress
    from parallelizework.client.server_api.server import Server
    from parallelizework.policy import Policy
    from parallelizework.redrive.models import Index

# Seconds until what a run keeps has arrived: usually some milliseconds.
_ARRIVAL, _WAIT = 5.0, 0.1


def selected(
    policy: Policy | None, *, failed_only: bool, indexes: Sequence[Index] | None
) -> Selection:
    """What a redrive executes.

    Raises:
        UnfitData: The indexes are not indexes.
    """
    chosen = {"indexes": list(indexes)} if indexes is not None else {}
    fields = chosen | ({"policy": policy} if policy else {})
    try:
        return Selection.model_validate(fields | {"failed_only": failed_only})
    except ValidationError as error:
        raise UnfitData(f"indexes of a redrive: {error.errors()[0]['msg']}") from error


async def redrive(server: Server, run: str, selection: Selection) -> Submitted:
    """Redrive a run.

    Returns:
        The id of the run that executes what has no value, and whether it is new. A held
        run executes that itself. If the run is being redriven already, the id is that
        of the other redrive.

    Raises:
        NotRedrivable: The run has succeeded or has not ended, or nothing is kept of it.
        UnknownRun: The server has no such run.
    """
    found = await _latest(server, run)
    run = found.run
    if found.is_held:
        await server.ingress.order(run, "redrive", _json(selection))
        return Submitted(run, is_new=False)
    key = f"redrive {run} {found.redrives}"
    if found.is_redriving:
        if not await _has_ended(server, found.redriven_by):
            return Submitted(found.redriven_by, is_new=False)
        key += f" instead of {found.redriven_by}"  # somebody has killed it
    request = RedriveRequest(run=run, **selection.model_dump(exclude_unset=True))
    return await server.ingress.redrive(found.fan_out, _json(request), key)


async def settle(server: Server, run: str) -> None:
    """Let a held run end now.

    Raises:
        NotRedrivable: The run is not held.
        UnknownRun: The server has no such run.
    """
    found = await _redrivable(server, run)
    if not found.is_held or await _has_ended(server, run):
        raise NotRedrivable(f"{run} is not held")
    await server.ingress.order(run, "settle", None)


async def _latest(server: Server, run: str) -> Redrivable:
    """A run, or the latest of its redrives that have ended with failures.

    Raises:
        NotRedrivable: A redrive of the run has succeeded.
    """
    found = await _redrivable(server, run)
    while found.is_moved:
        found = await _redrivable(server, found.redriven_by)
    if found.is_completed:
        raise NotRedrivable(
            f"{found.run} was redriven before: {found.redriven_by} has succeeded"
        )
    if found.is_held and await _has_ended(server, found.run):
        raise NotRedrivable(f"{found.run} was killed while it was held")
    return found


async def _redrivable(server: Server, run: str) -> Redrivable:
    """What FanOutRedrive knows of a run, as soon as it has arrived there."""
    end = monotonic() + _ARRIVAL
    while True:
        if found := await server.ingress.redrivable(run):
            return found
        state = await run_state.settled_state(server, run)
        if not await _may_keep(server, state):
            raise NotRedrivable(_why_not(state.known))
        if monotonic() > end:
            raise NotRedrivable(
                f"nothing is kept of {run}: its policy has redrivable_for=0, or its "
                "time is over, or it was killed. Submit its task again"
            )
        await sleep(_WAIT)


async def _may_keep(server: Server, state: run_state.RunState) -> bool:
    """Whether the run has ended with failures, or may be held."""
    progress = state.known
    if state.progress is None and progress.ended:  # its last update may arrive later
        return await server.sql.has_reported(progress.run)
    has_failures = progress.failed + progress.timed_out + progress.cancelled > 0
    return progress.state in ("failed", "cancelled", "held") or has_failures


def _why_not(progress: Progress) -> str:
    if progress.state == "succeeded":
        return f"{progress.run} has succeeded: there is nothing to redrive"
    return f"{progress.run} is {progress.state}: a run can be redriven after its end"


async def _has_ended(server: Server, run: str) -> bool:
    try:
        return (await server.sql.invocation(run)).ended
    except UnknownRun:
        return True
    except ClientError:
        return False


def _json(message: Selection) -> bytes:
    return message.model_dump_json(exclude_unset=True).encode()
