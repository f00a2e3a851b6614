"""Fan-outs of which something is exhausted, pauses, or is put off."""

from datetime import timedelta

from fan_outs import Keyed, Ledger
from restate.exceptions import RetryableError

from parallelizework import FanOut, Policy


def parts(task: Keyed) -> list[Keyed]:
    return [Keyed(key=f"{task.key}-{name}") for name in "abc"]


def counted(part: Keyed) -> int:
    return Ledger(part.key).enter()


def until_repaired(values: list[int], task: Keyed) -> list[int]:
    if not Ledger(f"{task.key}-mended").size:
        raise OSError("the sheet is read-only")
    return values


aggregate_pausing = FanOut(
    "AggregatePausing",
    split=parts,
    execute=counted,
    aggregate=until_repaired,
    policy=Policy(max_attempts=2, on_exhausted="pause"),
)


def put_off(part: Keyed) -> int:
    if not Ledger(f"{part.key}-mended").size:
        raise RetryableError("come back", 503, retry_after=timedelta(hours=1))
    return 1


def added(values: list[int]) -> int:
    return sum(values)


put_off_long = FanOut("PutOffLong", split=parts, execute=put_off, aggregate=added)
