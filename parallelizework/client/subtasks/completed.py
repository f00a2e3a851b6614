"""`completed_subtasks`: the outcomes of a run, as they complete."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING

from pydantic import JsonValue

from parallelizework.client.models import FailedSubtask, FrozenModel
from parallelizework.client.polling import interval
from parallelizework.client.run_state import settled_state
from parallelizework.errors import Refused

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server

_BEGIN = 5.0  # seconds: after its start, a run soon sends that it sends outcomes
_LAST = 5.0  # seconds: after its end, the last outcomes soon arrive
_CHECK = 2.0  # seconds between two checks whether the run has ended
_SHORTEST = 0.1  # seconds between two requests, at first


class CompletedSubtask(FrozenModel):
    """A subtask that has ended, with its outcome.

    Attributes:
        offset: The position among the outcomes, in order of completion. Offsets
            increase, but are not consecutive. To continue after this outcome, pass
            `offset + 1`.
        index: The index of the subtask in the split, or in its shard.
        shard: The index of the shard; None without `expand`.
        value: The value, as JSON; None if the subtask did not succeed.
        failure: Why the subtask did not succeed; None if it succeeded.
    """

    offset: int
    index: int
    shard: int | None = None
    value: JsonValue = None
    failure: FailedSubtask | None = None


async def completed_subtasks(
    server: Server, run: str, offset: int
) -> AsyncIterator[CompletedSubtask]:
    """The outcomes of a run from an offset on, until the run has ended.

    Raises:
        UnknownRun: The server has no such run.
        Refused: The run does not send its outcomes.
    """
    end = _End(server, run)
    since = monotonic()
    while True:
        part = await server.ingress.outcomes(run, offset)
        found = part.outcomes if part else []
        for at, each in found:
            fields = each.model_dump(include={"index", "shard", "value", "failure"})
            yield CompletedSubtask(offset=at, **fields)
        if part and (part.is_last or (not found and await end.has_passed())):
            return
        if part is None and await end.has_no_outcomes():
            raise Refused(f"{run} does not send its outcomes: set Policy(stream=True)")
        offset = part.next if part else offset
        if not found:
            await sleep(interval(monotonic() - since, _SHORTEST))


async def next_of(
    outcomes: AsyncIterator[CompletedSubtask],
) -> CompletedSubtask | None:
    """The next outcome; None after the last one."""
    return await anext(outcomes, None)


class _End:
    """The end of a run: a killed run does not send it."""

    def __init__(self, server: Server, run: str) -> None:
        self._server = server
        self._run = run
        self._checked = 0.0
        self._began: float | None = None
        self._ended: float | None = None

    async def has_passed(self) -> bool:
        """Whether the run ended so long ago that no more outcomes arrive."""
        await self._check()
        return self._ended is not None and monotonic() - self._ended > _LAST

    async def has_no_outcomes(self) -> bool:
        """Whether the run would have sent outcomes by now."""
        await self._check()
        return self._began is not None and monotonic() - self._began > _BEGIN

    async def _check(self) -> None:
        if monotonic() - self._checked < _CHECK:
            return
        self._checked = monotonic()
        state = (await settled_state(self._server, self._run)).known
        if self._began is None and state.state not in ("scheduled", "starting"):
            self._began = monotonic()
        if self._ended is None and state.ended:
            self._ended = monotonic()
