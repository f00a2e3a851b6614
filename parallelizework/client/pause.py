"""Pause and resume all of a run: itself, its coordinators, its subtasks."""

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

_TIME = 60.0  # seconds; 1,000 coordinators take some ten
_INTERVAL = 0.1  # seconds: what was called just before a pause has appeared by then
_QUIET = 2  # looks in a row that find nothing awake


async def pause(server: Server, run: str) -> None:
    """Have a run start no more subtasks; those that are executing go on to their end.

    Raises:
        UnknownRun: There is none of that id.
        Refused: It has ended; or not all of it could be paused in time.
    """
    end, quiet = monotonic() + _TIME, 0
    while quiet < _QUIET:
        coordinators = await _coordinators(server.sql, run)
        if not coordinators:
            await server.admin.steer(run, "pause")  # which says why not
            raise Refused(f"{run} has ended")
        awake = [call for call in coordinators if call.status != "paused"]
        quiet = 0 if awake else quiet + 1
        if awake and monotonic() > end:
            raise Refused(
                f"{len(awake)} of the {len(coordinators)} parts of {run} that start "
                "subtasks could not be paused, and go on: try again"
            )
        for call in awake:
            await _pause(server.admin, call, is_run=call.id == run)
        await sleep(_INTERVAL)


async def resume(server: Server, run: str) -> None:
    """Resume what is paused.

    Raises:
        UnknownRun: There is none of that id.
        Refused: Nothing of it is paused.
    """
    paused = [
        call.id for call in await server.sql.family(run) if call.status == "paused"
    ]
    if not paused:
        await server.sql.invocation(run)  # or it is unknown
        raise Refused(f"nothing of {run} is paused")
    for each in reversed(paused):  # what it has called first: it may wait for that
        await server.admin.steer(each, "resume")


async def _coordinators(sql: Sql, run: str) -> list[Call]:
    """The invocations of a run that start subtasks, itself first."""
    family = await sql.family(run)
    found = [call for call in family if call.target.split("/")[-1] in COORDINATORS]
    return sorted(found, key=lambda call: call.id != run)


async def _pause(admin: Admin, call: Call, *, is_run: bool) -> None:
    """Pause a coordinator, or try to: one that is asleep needs to be awake for that.

    restate-server 1.7 answers 200 to the pause of an invocation that is suspended, and
    does nothing. But it wakes one that is to be resumed, which then waits for about a
    second before it is suspended again. Later versions pause it as it is.
    """
    steer = admin.steer
    try:
        accepted = await steer(call.id, "pause")
        if not accepted and call.status == "suspended":
            await steer(call.id, "resume")
            await steer(call.id, "pause")
    except (Refused, UnknownRun):  # it may have ended meanwhile
        if is_run and call.status == "scheduled":
            raise
