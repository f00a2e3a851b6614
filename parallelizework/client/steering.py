"""Pause and resume all of a run: itself, its parts, its subtasks."""

from time import monotonic

from parallelizework.client.exchange import Exchange
from parallelizework.client.tables import Row, Tables
from parallelizework.errors import Refused, UnknownRun
from parallelizework.messages import COORDINATORS

_TIME = 60.0  # seconds; 1,000 coordinators take some ten
_TURN = 0.1  # seconds: what was called just before a pause has appeared by then
_TURNS = 2  # looks in a row that find nothing awake


def pause(tables: Tables, run: str) -> Exchange[None]:
    """Have a run start no more subtasks; those that are executing go on to their end.

    Raises:
        UnknownRun: There is none of that id.
        Refused: It has ended; or not all of it could be paused in time.
    """
    end, quiet = monotonic() + _TIME, 0
    while quiet < _TURNS:
        coordinators = yield from _coordinators(tables, run)
        if not coordinators:
            yield from tables.admin.order(run, "pause")  # which says why not
            raise Refused(f"{run} has ended")
        awake = [each for each in coordinators if each["status"] != "paused"]
        quiet = 0 if awake else quiet + 1
        if awake and monotonic() > end:
            raise Refused(
                f"{len(awake)} of the {len(coordinators)} parts of {run} that start "
                "subtasks could not be paused, and go on: try again"
            )
        for each in awake:
            yield from _pause(tables, each, is_run=each["id"] == run)
        yield _TURN


def resume(tables: Tables, run: str) -> Exchange[None]:
    """Go on with what is paused.

    Raises:
        UnknownRun: There is none of that id.
        Refused: Nothing of it is paused.
    """
    family = yield from tables.family(run)
    paused = [each["id"] for each in family if each["status"] == "paused"]
    if not paused:
        yield from tables.invocation(run)  # or it is unknown
        raise Refused(f"nothing of {run} is paused")
    for each in reversed(paused):  # its parts first: it may wait for them
        yield from tables.admin.order(each, "resume")


def _coordinators(tables: Tables, run: str) -> Exchange[list[Row]]:
    """The parts of a run that start subtasks, itself first."""
    family = yield from tables.family(run)
    found = [row for row in family if row["target"].rpartition("/")[2] in COORDINATORS]
    return sorted(found, key=lambda row: row["id"] != run)


def _pause(tables: Tables, row: Row, *, is_run: bool) -> Exchange[None]:
    """Pause a coordinator, or try to: one that is asleep needs to be awake for that.

    restate-server 1.7 answers 200 to the pause of an invocation that is suspended, and
    does nothing. But it wakes one that is to be resumed, which then waits for about a
    second before it is suspended again. Later versions pause it as it is.
    """
    order = tables.admin.order
    try:
        accepted = yield from order(row["id"], "pause")
        if not accepted and row["status"] == "suspended":
            yield from order(row["id"], "resume")
            yield from order(row["id"], "pause")
    except (Refused, UnknownRun):  # it may have ended meanwhile
        if is_run and row["status"] == "scheduled":
            raise
