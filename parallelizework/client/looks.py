"""`look`: how far a run is, as Restate and FanOutProgress know it together.

What FanOutProgress keeps is read by Restate's SQL, which needs no worker; where the
admin API cannot be reached, or has nothing, FanOutProgress is asked itself.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from parallelizework.client.admin import fan_outs
from parallelizework.client.answers import (
    FailedSubtask,
    Failures,
    Invocation,
    Listed,
    Progress,
)
from parallelizework.client.exchange import Exchange
from parallelizework.client.ingress import Ingress
from parallelizework.client.stalls import stalls
from parallelizework.client.tables import Tables, texts
from parallelizework.errors import Refused, UnknownRun, Unreachable
from parallelizework.outcomes import in_order
from parallelizework.progress.virtual_object import NAME, Record
from parallelizework.progress.virtual_object import Progress as Kept

_LAST_TURNS, _LAST_TURN = 30, 0.1  # an update takes some ms to arrive; some s at worst


@dataclass(frozen=True)
class Look:
    """What is known of a run.

    Attributes:
        invocation: What Restate knows; None where nobody could be asked.
        progress: What FanOutProgress keeps; None if that is nothing (yet).
        failures: The same; None where that has to be asked for.
    """

    invocation: Invocation | None
    progress: Progress | None
    failures: Failures | None = None

    @property
    def is_final(self) -> bool:
        """Whether FanOutProgress knows all that it will ever know."""
        if self.progress and self.progress.ended:
            return True
        return not self.invocation or not self.invocation.ended or self.is_killed

    @property
    def is_killed(self) -> bool:
        """Whether nobody is left to tell FanOutProgress of the end."""
        return bool(self.invocation and self.invocation.killed)

    @property
    def known(self) -> Progress:
        """All of it as one."""
        if not self.invocation:
            assert self.progress, "one of the two is known"
            return self.progress
        if not self.progress:
            return self.invocation.alone()
        return self.invocation.correct(self.progress)


def look(tables: Tables, ingress: Ingress, run: str) -> Exchange[Look]:
    """What is known of a run now.

    Raises:
        UnknownRun, Unreachable: Nothing.
    """
    try:
        invocation = yield from tables.invocation(run, patient=False)
        record = (yield from tables.records([run])).get(run)
    except (UnknownRun, Unreachable, Refused):
        progress = yield from ingress.progress(run)
        if not progress:
            raise
        return Look(None, progress)
    if record is None:
        return Look(invocation, None)
    try:
        return Look(invocation, *kept(run, record))
    except ValidationError:  # it is of another version's worker
        return Look(invocation, (yield from ingress.progress(run)))


def last_look(tables: Tables, ingress: Ingress, run: str) -> Exchange[Look]:
    """What is known of a run; of one that has ended, with its end."""
    seen = yield from look(tables, ingress, run)
    if seen.is_final or not (yield from tables.has_reported(run)):
        return seen
    for _turn in range(_LAST_TURNS):
        yield _LAST_TURN  # its last update is on its way
        seen = yield from look(tables, ingress, run)
        if seen.is_final or NAME in (yield from noted(tables, seen.known)).unanswered:
            break
    return seen


def noted(tables: Tables, progress: Progress) -> Exchange[Progress]:
    """Progress with what of its run does not go on; as it is where nobody says that."""
    try:
        return (yield from stalls(tables)).noted(progress)
    except (UnknownRun, Unreachable, Refused):
        return progress


def kept(run: str, record: str) -> tuple[Progress, Failures]:
    """What a record of FanOutProgress says.

    Raises:
        ValidationError: It is of another version.
    """
    read = Record.model_validate_json(record)
    progress = Progress.of(Kept.of(run, read).model_dump())
    failed = [
        FailedSubtask.model_validate(failure.model_dump())
        for failure in in_order(read.failures)
    ]
    return progress, Failures.of(failed, progress)


def recent(tables: Tables, limit: int) -> Exchange[list[Listed]]:
    """The latest runs of all fan-outs, served or not, the newest first."""
    services = yield from tables.admin.services()
    names, served = fan_outs(services), [service["name"] for service in services]
    found = yield from _recent(tables, names, served, limit)
    records = yield from tables.records([run.id for run in found])
    stalled = yield from stalls(tables)
    listed = [
        Listed.of(run, stalled.noted(_known(run, records.get(run.id))))
        for run in found
        if run.target_service_name in names or run.id in records
    ]
    return listed[:limit]


def _recent(
    tables: Tables, names: list[str], served: list[str], limit: int
) -> Exchange[list[Invocation]]:
    """The latest runs of these, and of what is no longer served."""
    column = "target_service_name"
    found: list[Invocation] = []
    if names:
        found += yield from tables.recent(f"{column} in ({texts(names)})", limit)
    where = f"{column} not in ({texts(served)})" if served else "true"
    found += yield from tables.recent(where, limit)
    return sorted(found, key=lambda run: run.created_at, reverse=True)


def _known(invocation: Invocation, record: str | None) -> Progress:
    try:
        progress = kept(invocation.id, record)[0] if record else None
    except ValidationError:  # it is of another version's worker
        progress = None
    return Look(invocation, progress).known
