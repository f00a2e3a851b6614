"""`WaitingSubtask`: a subtask of a run that waits for an answer from outside."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from parallelizework.client.models import FrozenModel
from parallelizework.client.server_api.subtask_calls import (
    subtask_calls,
    subtask_ids,
    waits,
)
from parallelizework.messages import HandlerName

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server

MAX_WAITING = 1_000


class WaitingSubtask(FrozenModel):
    """A subtask that waits for an answer from outside.

    Attributes:
        index: The index of the subtask in the split, or in its shard.
        shard: The index of the shard; None without `expand`.
        name: What `name_of` returned for the subtask; None for no name.
        key: The key that the subtask waits for. Pass it to `Client.answer`. If
            `is_event` is true, it is the key of an event: `WEBHOOK/KEY`.
        is_event: Whether the subtask waits for an event of a webhook.
        since: The start of the wait.
        until: The end of the wait, if no answer comes.
    """

    index: int
    shard: int | None = None
    name: str | None = None
    key: str
    is_event: bool
    since: datetime
    until: datetime


class WaitingSubtasks(list[WaitingSubtask]):
    """A list of the subtasks of a run that wait, in the order of the split.

    Attributes:
        more: How many other subtasks wait.
    """

    def __init__(self, listed: list[WaitingSubtask], more: int) -> None:
        super().__init__(listed)
        self.more = more


async def waiting_subtasks(server: Server, run: str, limit: int) -> WaitingSubtasks:
    """The subtasks of a run that wait for an answer.

    Args:
        server: The server.
        run: The id of the run.
        limit: The largest number of subtasks to list: those that wait for the longest
            time.
    """
    await server.sql.invocation(run)  # raises UnknownRun
    calls = await subtask_calls(server.sql, run, [HandlerName.AWAIT_ANSWER])
    total = calls[0].total if calls else 0
    chosen = sorted(calls, key=lambda call: call.created_at)[:limit]
    ids = [call.id for call in chosen]
    subtasks = await subtask_ids(server.sql, ids)
    found = await waits(server.sql, ids)
    listed = [
        WaitingSubtask(
            index=subtasks[call.id].index,
            shard=subtasks[call.id].shard,
            name=subtasks[call.id].name,
            key=found[call.id].awaited,
            is_event=found[call.id].event is not None,
            since=call.created_at,
            until=call.created_at + timedelta(seconds=found[call.id].within),
        )
        for call in chosen
        if call.id in subtasks and call.id in found  # otherwise, it has just ended
    ]
    listed.sort(key=lambda each: (each.shard or 0, each.index))
    return WaitingSubtasks(listed, total - len(chosen))
