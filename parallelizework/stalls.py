"""`Stalls`: what of which run does not go on, and why."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parallelizework.answers import Paused, Progress
from parallelizework.exchange import Exchange
from parallelizework.tables import Row, Tables

COORDINATORS = ("run", "runSegment", "runShards", "runShard")

_DEEPEST = 32  # calls within calls
_SHOWN = 100  # subtasks that are looked up


@dataclass(frozen=True)
class Stall:
    """A call that does not go on.

    Attributes:
        error: What has paused it; None where somebody has.
    """

    id: str
    target: str
    service: str
    handler: str
    is_paused: bool
    error: str | None = None

    @property
    def is_exhausted(self) -> bool:
        """Whether it waits for somebody to fix what has paused it."""
        return self.is_paused and bool(self.error or self.handler not in COORDINATORS)


@dataclass(frozen=True)
class Stalls:
    """The calls that do not go on.

    Attributes:
        calls: By the ids of all that have called them, and their own.
        tops: Of these ids, those that a client has sent.
    """

    calls: dict[str, list[Stall]]
    tops: frozenset[str]

    def of(self, run: str) -> list[Stall]:
        """Those of a run, itself among them."""
        return self.calls.get(run, [])

    def exhausted(self) -> dict[str, list[Stall]]:
        """Those that wait for somebody, by the run at the top of each."""
        return {
            caller: exhausted
            for caller, found in self.calls.items()
            if caller in self.tops
            and (exhausted := [stall for stall in found if stall.is_exhausted])
        }

    def noted(self, progress: Progress) -> Progress:
        """Progress with what its run waits for."""
        stalls = self.of(progress.run)
        paused = sum(s.is_exhausted and s.id != progress.run for s in stalls)
        unanswered = sorted({s.service for s in stalls if not s.is_paused})
        if not paused and not unanswered:
            return progress
        changes: dict[str, Any] = {
            "paused": paused,
            "unanswered": tuple(unanswered),
            "rate": None,
            "eta": None,
        }
        return progress.model_copy(update=changes)


def stalls(tables: Tables) -> Exchange[Stalls]:
    """All that does not go on at a restate-server."""
    rows = yield from tables.stalled()
    callers = yield from _callers(tables, rows)
    paused = [row["id"] for row in rows if row["status"] == "paused"]
    errors = yield from tables.pause_errors(paused)
    calls: dict[str, list[Stall]] = defaultdict(list)
    for row in rows:
        stall = Stall(
            id=row["id"],
            target=row["target"],
            service=row["target_service_name"],
            handler=row["target_handler_name"],
            is_paused=row["status"] == "paused",
            error=errors.get(row["id"]),
        )
        caller: str | None = stall.id
        while caller:
            calls[caller].append(stall)
            caller = callers.get(caller)
    tops = frozenset(each for each in calls if not callers.get(each))
    return Stalls(dict(calls), tops)


def paused(tables: Tables, run: str) -> Exchange[list[Paused]]:
    """What of a run is paused, and with which error."""
    found = [stall for stall in (yield from stalls(tables)).of(run) if stall.is_paused]
    subtasks = [stall.id for stall in found if stall.handler == "runSubtask"]
    inputs = yield from tables.inputs(subtasks[:_SHOWN])
    return [
        Paused(
            invocation=stall.id,
            target=stall.target,
            error=stall.error,
            subtask=json.loads(inputs[stall.id]) if stall.id in inputs else None,
        )
        for stall in found
    ]


def _callers(tables: Tables, rows: Sequence[Row]) -> Exchange[dict[str, str | None]]:
    """What called each of these, what called that, and so on."""
    callers: dict[str, str | None] = {
        row["id"]: row.get("invoked_by_id") for row in rows
    }
    for _depth in range(_DEEPEST):
        unknown = {caller for caller in callers.values() if caller} - callers.keys()
        if not unknown:
            break
        found = yield from tables.callers(unknown)
        callers |= dict.fromkeys(unknown) | found
    return callers
