"""`Stalls`: what of which run does not go on, and why."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parallelizework.client.answers import Paused, Progress
from parallelizework.client.exchange import Exchange
from parallelizework.client.tables import Input, Row, Tables
from parallelizework.headers import name_in
from parallelizework.messages import COORDINATORS, HandlerName

_DEEPEST = 32  # calls within calls
_SHOWN = 100  # subtasks that are looked up
_POSITION = re.compile(r"(?:shard=(\d+) )?index=(\d+)$")


@dataclass(frozen=True)
class Stall:
    """A call that does not go on.

    Attributes:
        subject: The call that is held up: itself, or what waits for it to be resumed.
        target: What that one is, such as `Thumbnails/runSubtask`.
        error: What has paused it; None where somebody has.
    """

    id: str
    subject: str
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
    known = yield from _with_callers(tables, rows)
    paused = [row["id"] for row in rows if row["status"] == "paused"]
    errors = yield from tables.pause_errors(paused)
    calls: dict[str, list[Stall]] = defaultdict(list)
    for row in rows:
        stall = _stall(row, known, errors.get(row["id"]))
        caller: str | None = stall.id
        while caller:
            calls[caller].append(stall)
            caller = known.get(caller, {}).get("invoked_by_id")
    tops = [each for each in calls if not known.get(each, {}).get("invoked_by_id")]
    return Stalls(dict(calls), frozenset(tops))


def _stall(row: Row, known: Mapping[str, Row], error: str | None) -> Stall:
    handler, subject = row["target_handler_name"], row
    if handler == HandlerName.AWAIT_RESUME:
        subject = known.get(row.get("invoked_by_id", ""), row)
    return Stall(
        id=row["id"],
        subject=subject["id"],
        target=subject["target"],
        service=row["target_service_name"],
        handler=handler,
        is_paused=row["status"] == "paused",
        error=error,
    )


def paused(tables: Tables, run: str) -> Exchange[list[Paused]]:
    """What of a run is paused, and with which error."""
    found = [stall for stall in (yield from stalls(tables)).of(run) if stall.is_paused]
    subtasks = [s.subject for s in found if s.target.endswith("/runSubtask")]
    inputs = yield from tables.inputs(subtasks[:_SHOWN])
    return [
        Paused(
            invocation=stall.id,
            target=stall.target,
            error=stall.error,
            **(_subtask(inputs[stall.subject]) if stall.subject in inputs else {}),
        )
        for stall in found
    ]


def _subtask(called_with: Input) -> dict[str, Any]:
    """Which subtask a call is for."""
    position = _POSITION.search(name_in(called_with.headers))
    shard, index = position.groups() if position else (None, None)
    return {
        "index": index and int(index),
        "shard": shard and int(shard),
        "subtask": json.loads(called_with.body),
    }


def _with_callers(tables: Tables, rows: Sequence[Row]) -> Exchange[dict[str, Row]]:
    """These, and what has called them, and what has called that, by their ids."""
    known = {row["id"]: row for row in rows}
    for _depth in range(_DEEPEST):
        callers = {row.get("invoked_by_id") for row in known.values()} - {None}
        unknown = [each for each in callers if each and each not in known]
        if not unknown:
            break
        found = yield from tables.calls(unknown)
        known |= {each: {"id": each, "target": "unknown"} for each in unknown}
        known |= {row["id"]: row for row in found}
    return known
