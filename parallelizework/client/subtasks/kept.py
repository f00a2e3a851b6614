"""`kept`: the subtasks of a run that has ended, as FanOutRedrive keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from parallelizework.redrive.pieces import joined
from parallelizework.redrive.remains import Remains

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server
    from parallelizework.messages import FullIndex
    from parallelizework.outcomes import Failure

_MAX_PIECES = 16  # of up to 4 MiB each


class Kept:
    """The subtasks of a run that has ended.

    Attributes:
        succeeded: The full indexes of the subtasks with a value, in order. Empty if
            values are combined: then only their number is known.
        failures: The subtasks that did not succeed, and why.
        unstarted: The full indexes of the subtasks that have no outcome.
    """

    def __init__(self, remains: Remains) -> None:
        are_single = remains.succeeded == len(remains.values)
        self.succeeded: Sequence[FullIndex] = (
            remains.full_indexes() if are_single else []
        )
        self.failures: Sequence[Failure[Any]] = remains.failures
        self.unstarted: Sequence[FullIndex] = list(remains.rest)


async def kept(server: Server, run: str) -> Kept | None:
    """What is kept of a run; None if nothing is kept, or too much to read."""
    found = await server.ingress.redrivable(run)
    if found is None or not 0 < found.pieces <= _MAX_PIECES:
        return None
    pieces = [await server.ingress.kept(run, number) for number in range(found.pieces)]
    return Kept(Remains.of(joined(pieces)))
