"""Pause and resume a run: `run`, its other coordinators and its subtasks."""

from __future__ import annotations

from asyncio import sleep
from time import monotonic
from typing import TYPE_CHECKING

from parallelizework.errors import Refused, UnknownRun
from parallelizework.messages import COORDINATORS

if TYPE_CHECKING:
    from parallelizework.client.server_api.admin import Admin
    from parallelizework.client.server_api.server import Server
    from parallelizework.client.server_api.sql import Call, Sql

_TIMEOUT = 60.0  # seconds; to pause 1,000 coordinators takes about ten
# Seconds. A coordinator may call another one just before it is paused. The new call is
# in SQL's tables after this interval.
_INTERVAL = 0.1
_QUIET = 2  # queries in a row that find all coordinators paused


async def pause(server: Server, run: str) -> None:
    """Pause all coordinators of a run, so that it starts no more subtasks.

    Subtasks that are executing continue to their end.

    Raises:
        UnknownRun: The server has no run with that id.
        Refused: The run has ended, or not all coordinators could be paused in time.
    """
    end, quiet = monotonic() + _TIMEOUT, 0
    while quiet < _QUIET:
        coordinators = await _coordinators(server.sql, run)
        if not coordinators:
            await server.admin.steer(run, "pause")  # raises an error with the cause
            raise Refused(f"{run} has ended")
        awake = [call for call in coordinators if call.status != "paused"]
        quiet = 0 if awake else quiet + 1
        if awake and monotonic() > end:
            raise Refused(
                f"{len(awake)} of the {len(coordinators)} coordinators of {run} were "
                f"not paused within {_TIMEOUT:g} s and still start subtasks: pause the "
                "run again"
            )
        for call in awake:
            await _pause(server.admin, call, is_run=call.id == run)
        await sleep(_INTERVAL)


async def resume(server: Server, run: str) -> None:
    """Resume all paused calls of a run.

    Raises:
        UnknownRun: The server has no run with that id.
        Refused: Nothing of the run is paused.
    """
    paused = [
        call.id for call in await server.sql.family(run) if call.status == "paused"
    ]
    if not paused:
        await server.sql.invocation(run)  # raises UnknownRun
        raise Refused(f"nothing of {run} is paused")
    refused: list[Exception] = []
    for each in reversed(paused):  # callees first: their callers may wait for them
        try:
            await server.admin.steer(each, "resume")
        except (Refused, UnknownRun) as error:  # it may be resumed or ended meanwhile
            refused.append(error)
    if len(refused) == len(paused):
        raise refused[0]


async def _coordinators(sql: Sql, run: str) -> list[Call]:
    """The coordinators of a run, `run` itself first."""
    family = await sql.family(run)
    found = [call for call in family if call.target.split("/")[-1] in COORDINATORS]
    return sorted(found, key=lambda call: call.id != run)


async def _pause(admin: Admin, call: Call, *, is_run: bool) -> None:
    """Try to pause a coordinator; if it is suspended, wake it first.

    restate-server 1.7 does not pause a suspended invocation: it answers 200 and does
    nothing. A resume wakes the invocation. The invocation then waits for about a second
    before it is suspended again, and can be paused meanwhile. Later versions of the
    server pause a suspended invocation.
    """
    steer = admin.steer
    try:
        accepted = await steer(call.id, "pause")
        if not accepted and call.status == "suspended":
            await steer(call.id, "resume")
            await steer(call.id, "pause")
    except (Refused, UnknownRun):  # the call may have ended meanwhile
        if is_run and call.status == "scheduled":
            raise
