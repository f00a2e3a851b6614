"""`StalledCalls`: calls that are paused, or for which no worker answers."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from parallelizework.client.models import Paused, Progress
from parallelizework.client.server_api.sql import Call, Input, Sql
from parallelizework.headers import SubtaskId, name_in
from parallelizework.messages import COORDINATORS, HandlerName

_MAX_DEPTH = 32  # of calls within calls
_WITH_SUBTASK = (HandlerName.RUN_SUBTASK, HandlerName.AWAIT_ANSWER)  # as their body
_SHOWN = 100  # subtasks whose input is read


@dataclass(frozen=True)
class StalledCall:
    """A call that is paused, or for which no worker answers.

    Attributes:
        call: The call.
        subject: The call itself; or its caller, if the call is `awaitResume`.
        error: The error that paused the call; None if a user paused it.
    """

    call: Call
    subject: Call
    error: str | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the call is paused; otherwise, no worker answers for it."""
        return self.call.status == "paused"

    @property
    def is_exhausted(self) -> bool:
        """Whether the call counts as paused in `Progress`.

        A coordinator without an error does not count: a user paused it with its run.
        """
        is_of_subtask = self.call.target_handler_name not in COORDINATORS
        return self.is_paused and bool(self.error or is_of_subtask)


@dataclass(frozen=True)
class StalledCalls:
    """All stalled calls of a restate-server.

    Attributes:
        calls: The stalled calls below each invocation, and the invocation itself if it
            is stalled, by the id of the invocation.
        tops: The ids of those invocations that no other invocation has called.
    """

    calls: Mapping[str, Sequence[StalledCall]]
    tops: frozenset[str]

    def of(self, run: str) -> Sequence[StalledCall]:
        """The stalled calls of a run; `run` itself may be one of them."""
        return self.calls.get(run, ())

    def exhausted(self) -> dict[str, list[StalledCall]]:
        """The calls that count as paused, by the ids of their runs."""
        found = {run: [c for c in self.of(run) if c.is_exhausted] for run in self.calls}
        return {
            run: calls for run, calls in found.items() if calls and run in self.tops
        }

    def too_large(self) -> dict[str, StalledCall]:
        """A call whose request is too large for AWS Lambda, by the id of its run."""
        found = {
            run: next((c for c in self.of(run) if c.call.is_too_large), None)
            for run in self.tops
        }
        return {run: call for run, call in found.items() if call}

    def added_to(self, progress: Progress) -> Progress:
        """Add the stalled calls of its run to a progress."""
        stalled, run = self.of(progress.run), progress.run
        paused = sum(each.is_exhausted and each.call.id != run for each in stalled)
        services = {e.call.target_service_name for e in stalled if not e.is_paused}
        if not paused and not services:
            return progress
        changes = {"paused": paused, "unanswered": tuple(sorted(services))}
        return progress.model_copy(update={**changes, "rate": None, "eta": None})


async def stalled_calls(sql: Sql) -> StalledCalls:
    """All stalled calls of a restate-server."""
    found = await sql.stalled()
    known = await _with_callers(sql, found)
    errors = await sql.pause_errors([e.id for e in found if e.status == "paused"])
    calls: dict[str, list[StalledCall]] = defaultdict(list)
    for each in found:
        subject = each
        if each.target_handler_name == HandlerName.AWAIT_RESUME:
            subject = known.get(each.invoked_by_id or "", each)
        stalled = StalledCall(each, subject, errors.get(each.id))
        caller: Call | None = each
        while caller:
            calls[caller.id].append(stalled)
            caller = known.get(caller.invoked_by_id or "")
    tops = frozenset(id_ for id_ in calls if not known[id_].invoked_by_id)
    return StalledCalls(dict(calls), tops)


async def _with_callers(sql: Sql, calls: Iterable[Call]) -> dict[str, Call]:
    """The calls, their callers, the callers of these and so on, by id."""
    known = {call.id: call for call in calls}
    for _ in range(_MAX_DEPTH):
        callers = {call.invoked_by_id for call in known.values()}
        unknown = [each for each in callers if each and each not in known]
        if not unknown:
            break
        known |= {each: Call(id=each) for each in unknown}
        known |= {call.id: call for call in await sql.calls(unknown)}
    return known


async def paused_calls(sql: Sql, run: str) -> list[Paused]:
    """The paused calls of a run, each with its error."""
    found = [each for each in (await stalled_calls(sql)).of(run) if each.is_paused]
    subjects = [each.subject for each in found]
    subtasks = [
        call.id for call in subjects if call.target.rpartition("/")[2] in _WITH_SUBTASK
    ]
    inputs = await sql.inputs(subtasks[:_SHOWN])
    return [_paused(each, inputs.get(each.subject.id)) for each in found]


def _paused(stalled: StalledCall, called_with: Input | None) -> Paused:
    paused = Paused(
        invocation=stalled.call.id, target=stalled.subject.target, error=stalled.error
    )
    if not called_with:
        return paused
    subtask_id = SubtaskId.read(name_in(called_with.headers))
    update: dict[str, object] = {"subtask": json.loads(called_with.body)}
    if subtask_id:
        update |= {
            "index": subtask_id.index,
            "shard": subtask_id.shard,
            "name": subtask_id.name,
        }
    return paused.model_copy(update=update)
